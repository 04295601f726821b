/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics pages and log levels. */
#include "ops/pages.h"

#include <json-c/linkhash.h>
#include <stdio.h>

#include "bus/statistics.h"
#include "json.h"
#include "log.h"

const char *pages_metrics(struct slice accept, const struct process_identity *identity, pages_metrics_fn *write, void *arg,
                          struct buf *out)
{
    struct metrics_page page = {.out = out, .openmetrics = metrics_wants_openmetrics(accept)};
    process_metrics_write(&page, identity);
    write(arg, &page);
    bus_statistics_write(&page);
    metrics_end(&page);
    return metrics_content_type(page.openmetrics);
}

void pages_show_levels(struct buf *out)
{
    struct log_levels levels;
    log_get_levels(&levels);
    buf_printf(out, "{\"level\":\"%s\",\"modules\":{", log_level_name(levels.level));
    for (size_t i = 0; i < levels.count; i++) {
        buf_append_text(out, i ? "," : "");
        buf_append_json(out, slice_of(levels.modules[i].name));
        buf_printf(out, ":\"%s\"", log_level_name(levels.modules[i].level));
    }
    buf_append_text(out, "}}\n");
}

static bool read_level(struct json_object *value, const char *name, enum log_level *ret_level, char *ret_wrong)
{
    if (json_object_is_type(value, json_type_string) && log_level_parse(json_object_get_string(value), ret_level))
        return true;
    snprintf(ret_wrong, PAGES_WRONG_SIZE, "The level of \"%.80s\" must be \"error\", \"warn\", \"info\" or \"debug\".", name);
    return false;
}

static bool read_modules(struct json_object *modules, struct log_levels *levels, char *ret_wrong)
{
    levels->count = 0;
    json_object_object_foreach(modules, name, value)
    {
        if (levels->count == LOG_MODULES_MAX || strlen(name) >= LOG_MODULE_SIZE || !*name) {
            snprintf(ret_wrong, PAGES_WRONG_SIZE, "At most %d modules, with names of 1 to %d bytes such as \"worker/faults\" or \"bus\".",
                     LOG_MODULES_MAX, LOG_MODULE_SIZE - 1);
            return false;
        }
        struct log_module_level *module = &levels->modules[levels->count++];
        snprintf(module->name, sizeof(module->name), "%s", name);
        if (!read_level(value, name, &module->level, ret_wrong))
            return false;
    }
    return true;
}

bool pages_set_levels(struct slice json, char ret_wrong[PAGES_WRONG_SIZE])
{
    static const struct json_member members[] = {{"level", JSON_STRING, false, 0, 0}, {"modules", JSON_OBJECT, false, 0, 0}};
    struct json_error error;
    struct json_object *value, *body = json_parse_strict(json, &error);
    struct log_levels levels;
    log_get_levels(&levels);
    bool good = body && json_members_check(body, members, 2, &error);
    if (!good)
        snprintf(ret_wrong, PAGES_WRONG_SIZE, "Send {\"level\":\"info\",\"modules\":{\"worker/faults\":\"debug\"}}: %.120s.", error.text);
    if (good && json_object_object_get_ex(body, "level", &value))
        good = read_level(value, "level", &levels.level, ret_wrong);
    if (good && json_object_object_get_ex(body, "modules", &value))
        good = read_modules(value, &levels, ret_wrong);
    if (good)
        log_set_levels(&levels);
    json_object_put(body);
    return good;
}
