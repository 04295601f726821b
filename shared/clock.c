/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks and RFC 3339 text, without the process's time zone. */
#include "clock.h"

#include <stdio.h>
#include <time.h>

int64_t clock_mono_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t clock_wall_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int clock_format_rfc3339(int64_t wall_ms, char ret_text[CLOCK_RFC3339_SIZE])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    int ms = (int)(wall_ms % 1000);
    if (ms < 0) {
        ms += 1000;
        seconds--;
    }
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t n = strftime(ret_text, CLOCK_RFC3339_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    return (int)n + snprintf(ret_text + n, CLOCK_RFC3339_SIZE - n, ".%03dZ", ms);
}

/* Reads exactly `digits` decimal digits at *pos. */
static bool take_digits(struct slice text, size_t *pos, int digits, int *ret_value)
{
    int value = 0;
    for (int i = 0; i < digits; i++, (*pos)++) {
        if (*pos >= text.len || text.p[*pos] < '0' || text.p[*pos] > '9')
            return false;
        value = value * 10 + (text.p[*pos] - '0');
    }
    *ret_value = value;
    return true;
}

static bool take_char(struct slice text, size_t *pos, const char *any_of)
{
    if (*pos >= text.len || !text.p[*pos] || !strchr(any_of, text.p[*pos]))
        return false;
    (*pos)++;
    return true;
}

static int take_fraction_ms(struct slice text, size_t *pos)
{
    int ms = 0, scale = 100;
    for (; *pos < text.len && text.p[*pos] >= '0' && text.p[*pos] <= '9'; (*pos)++, scale /= 10)
        ms += (text.p[*pos] - '0') * scale;
    return ms;
}

/* "Z" or "+hh:mm"; the offset in minutes east of UTC. */
static bool take_offset(struct slice text, size_t *pos, int *ret_minutes)
{
    int hours, minutes;
    *ret_minutes = 0;
    if (take_char(text, pos, "Zz"))
        return true;
    bool west = *pos < text.len && text.p[*pos] == '-';
    if (!take_char(text, pos, "+-") || !take_digits(text, pos, 2, &hours) || !take_char(text, pos, ":") ||
        !take_digits(text, pos, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *ret_minutes = (hours * 60 + minutes) * (west ? -1 : 1);
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

bool clock_parse_rfc3339(struct slice text, int64_t *ret_wall_ms)
{
    size_t pos = 0;
    int year, month, day, hour, minute, second, ms = 0, offset;
    if (!take_digits(text, &pos, 4, &year) || !take_char(text, &pos, "-") || !take_digits(text, &pos, 2, &month) ||
        !take_char(text, &pos, "-") || !take_digits(text, &pos, 2, &day) || !take_char(text, &pos, "Tt ") ||
        !take_digits(text, &pos, 2, &hour) || !take_char(text, &pos, ":") || !take_digits(text, &pos, 2, &minute) ||
        !take_char(text, &pos, ":") || !take_digits(text, &pos, 2, &second))
        return false;
    if (take_char(text, &pos, ".")) {
        size_t before = pos;
        ms = take_fraction_ms(text, &pos);
        if (pos == before)
            return false;
    }
    if (!take_offset(text, &pos, &offset) || pos != text.len)
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || hour > 23 || minute > 59 ||
        second > 60)
        return false;
    struct tm tm = {.tm_year = year - 1900,
                    .tm_mon = month - 1,
                    .tm_mday = day,
                    .tm_hour = hour,
                    .tm_min = minute,
                    .tm_sec = second};
    *ret_wall_ms = ((int64_t)timegm(&tm) - (int64_t)offset * 60) * 1000 + ms;
    return true;
}
