/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as JSON: no crash, and what our rules let pass json-c understands the same way, there and back.
 */
#include "json.h"

#include <assert.h>
#include <stdlib.h>

static struct slice written(struct json_object *root)
{
    size_t len;
    const char *text = json_object_to_json_string_length(root, JSON_C_TO_STRING_PLAIN, &len);
    assert(text);
    return slice_make(text, len);
}

static void check_members(struct json_object *root)
{
    static const struct json_member members[] = {
        {"id", JSON_INT64, true, 1, 9}, {"name", JSON_STRING, false, 1, 9}, {"a", JSON_NUMBER, false, 0, 0}};
    struct json_error error = {""};
    if (!json_members_check(root, members, 3, &error))
        assert(error.text[0]);
    (void)json_member_int64(root, "id", 0);
    (void)json_member_string(root, "name");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_error error = {""};
    char *copy = malloc(size ? size : 1); /* exactly as long as the text: reading past its end is seen */
    assert(copy);
    memcpy(copy, data, size);
    struct slice text = slice_make(copy, size);
    bool ok = json_check_strict(text, &error);
    assert(ok == !error.text[0]);
    struct json_object *root = json_parse_strict(text, &error), *again;
    assert(!root || ok);
    if (ok && !root) /* only a bare null has no tree */
        assert(memmem(copy, size, "null", 4));
    if (root) {
        again = json_parse_strict(written(root), &error);
        assert(again);
        assert(json_object_equal(root, again));
        check_members(root);
        json_object_put(again);
        json_object_put(root);
    }
    free(copy);
    return 0;
}
