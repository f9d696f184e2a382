/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A camera's address as users give it: rtsp or rtsps, a host, perhaps a port, path and query. No
 * user name or password: those have fields of their own, which are sealed. Pure. Which hosts may
 * really be reached is judged by the worker when it connects.
 */
#ifndef WEIR_API_SOURCE_URL_H
#define WEIR_API_SOURCE_URL_H

#include "lib/base/err.h"

#define API_URL_MAX  2048
#define API_HOST_MAX 255

/* Fills `host` (lower case, brackets of an IPv6 address kept). WEIR_ESEMANTIC says what is wrong.
 */
WEIR_MUST_USE enum weir_code
api_source_url_check(const char *url, char host[static API_HOST_MAX + 1], struct weir_err *err);

#endif
