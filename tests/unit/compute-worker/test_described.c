/* SPDX-License-Identifier: Apache-2.0 */
/* openapi.json and asyncapi.json say of each kind of computation what the worker checks. */
#include "handlers.h"
#include "kernels/kernels.h"
#include "list.h"
#include "result.h"

#include "../described.h"

/* "StartPrimes" of "primes". */
static struct json_object *start_of(struct json_object *doc, const char *kind)
{
    char name[64];
    snprintf(name, sizeof(name), "Start%c%s", kind[0] - 'a' + 'A', kind + 1);
    return described_schema(doc, name);
}

static void expect_kind(struct json_object *doc, const struct kind *kind)
{
    struct json_object *properties = json_object_object_get(start_of(doc, kind->name), "properties");
    assert_string_equal(json_object_get_string(json_object_object_get(json_object_object_get(properties, "kind"), "const")), kind->name);
    described_expect_members(kind->name, json_object_object_get(properties, "params"), kind->params, kind->param_count);
    assert_true(described_lists(json_object_object_get(json_object_object_get(json_object_object_get(described_schema(doc, "ComputationDone"),
                                                                                                     "properties"), "kind"), "enum"), kind->name));
}

static void kinds_are_described_as_they_are_checked(void **unused)
{
    static const char *const names[] = {"openapi.json", "asyncapi.json"};
    for (size_t i = 0; i < COUNT(names); i++) {
        struct json_object *doc = described_open(names[i]), *choices = json_object_object_get(described_schema(doc, "ComputationStart"), "oneOf");
        struct buf list = {0};
        size_t count = 0;
        kind_list(&list);
        buf_append(&list, "", 1);
        for (char *rest = list.data, *name; (name = strsep(&rest, ", ")); ) {
            if (!*name)
                continue;
            expect_kind(doc, kind_find(slice_of(name)));
            count++;
        }
        assert_int_equal(json_object_array_length(choices), count);
        buf_done(&list);
        json_object_put(doc);
    }
}

static struct json_object *property_of(struct json_object *doc, const char *schema, const char *name)
{
    return json_object_object_get(json_object_object_get(described_schema(doc, schema), "properties"), name);
}

static void expect_maximum(struct json_object *doc, const char *schema, const char *name, int64_t maximum)
{
    assert_int_equal(json_object_get_int64(json_object_object_get(property_of(doc, schema, name), "maximum")), maximum);
}

static void questions_are_bounded_as_they_are_checked(void **unused)
{
    struct json_object *doc = described_open("asyncapi.json");
    described_expect_members("ComputationListQuery", described_schema(doc, "ComputationListQuery"), list_members, LIST_MEMBERS);
    assert_int_equal(json_object_get_int64(json_object_object_get(property_of(doc, "ComputationListQuery", "limit"), "default")), LIST_DEFAULT);
    expect_maximum(doc, "ResultQuery", "part", RESULT_PARTS_MAX - 1);
    expect_maximum(doc, "ResultMandelbrot", "bytes", RESULT_BYTES_MAX);
    expect_maximum(doc, "PartStart", "parts", TASK_PARTS_MAX);
    expect_maximum(doc, "PartStart", "index", TASK_PARTS_MAX - 1);
    json_object_put(doc);
}

static void every_operation_is_a_message(void **unused)
{
    struct json_object *doc = described_open("asyncapi.json");
    struct json_object *messages = json_object_object_get(json_object_object_get(doc, "components"), "messages");
    size_t count = 0, described = 0;
    for (const struct operation *op = compute_service.operations; op->type; op++, count++) {
        bool found = false;
        json_object_object_foreach(messages, key, message)
        {
            (void)key;
            found |= strcmp(json_object_get_string(json_object_object_get(message, "name")), op->type) == 0;
        }
        if (!found)
            fail_msg("%s is not described", op->type);
    }
    json_object_object_foreach(messages, key, message)
    {
        (void)key;
        described += strncmp(json_object_get_string(json_object_object_get(message, "name")), "compute.", 8) == 0;
    }
    assert_int_equal(described, count + 4); /* compute.operation, compute.result, compute.cancel and its event */
    json_object_put(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_are_described_as_they_are_checked),
        cmocka_unit_test(questions_are_bounded_as_they_are_checked),
        cmocka_unit_test(every_operation_is_a_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
