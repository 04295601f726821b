/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP to the collector, by libcurl. */
#include <curl/curl.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "trace/span.h"

struct post {
    CURL *curl;
    struct curl_slist *headers;
    const _Atomic bool *stop;
    char error[CURL_ERROR_SIZE];
};

static size_t ignore(char *data, size_t size, size_t count, void *arg)
{
    return size * count;
}

/* Not 0: the transfer ends. */
static int watch(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct post *post = arg;
    return atomic_load(post->stop);
}

static bool add_header(struct post *post, const char *line)
{
    struct curl_slist *more = curl_slist_append(post->headers, line);
    if (more)
        post->headers = more;
    return more != NULL;
}

static bool set_up(struct post *post, const struct trace_settings *settings)
{
    bool good = add_header(post, "Content-Type: application/json") && add_header(post, "Expect:");
    for (size_t at = 0; good && at < settings->headers.len; at += strlen(settings->headers.data + at) + 1)
        good = add_header(post, settings->headers.data + at);
    return good && curl_easy_setopt(post->curl, CURLOPT_URL, settings->endpoint.data) == CURLE_OK &&
           curl_easy_setopt(post->curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(post->curl, CURLOPT_HTTPHEADER, post->headers) == CURLE_OK &&
           curl_easy_setopt(post->curl, CURLOPT_USERAGENT, "roundtrip/" ROUNDTRIP_VERSION) == CURLE_OK &&
           curl_easy_setopt(post->curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(post->curl, CURLOPT_TIMEOUT_MS, (long)settings->timeout_ms) == CURLE_OK &&
           curl_easy_setopt(post->curl, CURLOPT_ERRORBUFFER, post->error) == CURLE_OK &&
           curl_easy_setopt(post->curl, CURLOPT_WRITEFUNCTION, ignore) == CURLE_OK &&
           curl_easy_setopt(post->curl, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
           curl_easy_setopt(post->curl, CURLOPT_XFERINFOFUNCTION, watch) == CURLE_OK &&
           curl_easy_setopt(post->curl, CURLOPT_XFERINFODATA, post) == CURLE_OK;
}

int post_open(const struct trace_settings *settings, const _Atomic bool *stop, struct post **ret_post)
{
    struct post *post = calloc(1, sizeof(*post));
    if (!post)
        return -ENOMEM;
    post->stop = stop;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
        post->curl = curl_easy_init();
    if (!post->curl || !set_up(post, settings)) {
        post_close(post);
        return -EIO;
    }
    *ret_post = post;
    return 0;
}

void post_close(struct post *post)
{
    if (!post)
        return;
    curl_easy_cleanup(post->curl);
    curl_slist_free_all(post->headers);
    free(post);
}

enum post_end post_send(struct post *post, struct slice body, long *ret_status, const char **ret_error)
{
    post->error[0] = '\0';
    *ret_status = 0;
    curl_easy_setopt(post->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
    curl_easy_setopt(post->curl, CURLOPT_POSTFIELDS, body.p);
    CURLcode code = curl_easy_perform(post->curl);
    *ret_error = post->error[0] ? post->error : curl_easy_strerror(code);
    if (code != CURLE_OK)
        return POST_AGAIN;
    curl_easy_getinfo(post->curl, CURLINFO_RESPONSE_CODE, ret_status);
    *ret_error = "its answer";
    if (*ret_status >= 200 && *ret_status < 300)
        return POST_TAKEN;
    bool later = *ret_status == 429 || (*ret_status >= 502 && *ret_status <= 504); /* OTLP's retryable ones */
    return later ? POST_AGAIN : POST_REFUSED;
}
