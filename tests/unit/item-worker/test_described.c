/* SPDX-License-Identifier: Apache-2.0 */
/* openapi.json and asyncapi.json say of items what the worker checks. */
#include "handlers.h"

#include "../described.h"

static void items_are_described_as_they_are_checked(void **unused)
{
    static const char *const names[] = {"openapi.json", "asyncapi.json"};
    for (size_t i = 0; i < COUNT(names); i++) {
        struct json_object *doc = described_open(names[i]);
        described_expect_members("ItemCreate", described_schema(doc, "ItemCreate"), item_create_members, ITEM_CREATE_MEMBERS);
        described_expect_members("Item", described_schema(doc, "Item"), item_create_members, ITEM_CREATE_MEMBERS);
        described_expect_members("ItemPut", described_schema(doc, "ItemPut"), item_put_members, ITEM_PUT_MEMBERS);
        json_object_put(doc);
    }
    struct json_object *doc = described_open("asyncapi.json");
    described_expect_members("ItemListQuery", described_schema(doc, "ItemListQuery"), item_list_members, ITEM_LIST_MEMBERS);
    json_object_put(doc);
}

/* Does the text name this type of message? */
static bool names_type(struct json_object *messages, const char *type)
{
    json_object_object_foreach(messages, key, message)
    {
        (void)key;
        if (strcmp(json_object_get_string(json_object_object_get(message, "name")), type) == 0)
            return true;
    }
    return false;
}

static void every_operation_is_a_message(void **unused)
{
    struct json_object *doc = described_open("asyncapi.json");
    struct json_object *messages = json_object_object_get(json_object_object_get(doc, "components"), "messages");
    size_t found = 0, described = 0;
    for (const struct operation *op = item_service.operations; op->type; op++, found++) {
        if (!names_type(messages, op->type))
            fail_msg("%s is not described", op->type);
    }
    json_object_object_foreach(messages, key, message)
    {
        (void)key;
        described += strncmp(json_object_get_string(json_object_object_get(message, "name")), "item.", 5) == 0;
    }
    assert_int_equal(described, found + 4); /* item.operation, item.result, item.cancel and its event */
    json_object_put(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_are_described_as_they_are_checked),
        cmocka_unit_test(every_operation_is_a_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
