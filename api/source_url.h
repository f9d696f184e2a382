/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A camera's address as users give it: rtsp or rtsps, a host, perhaps a port, path and query. No
 * user name or password: those have fields of their own, which are sealed. Pure. A literal address
 * is judged here, so that who gives it learns at once; names are left to the tap, which judges what
 * they resolve to each time it connects (lib/domain/reach.h).
 */
#ifndef WEIR_API_SOURCE_URL_H
#define WEIR_API_SOURCE_URL_H

#include "lib/base/err.h"
#include "lib/domain/reach.h"

#define API_URL_MAX  2048
#define API_HOST_MAX 255

/* Fills `host` (lower case, brackets of an IPv6 address kept). WEIR_ESEMANTIC says what is wrong.
 */
WEIR_MUST_USE enum weir_code
api_source_url_check(const char *url, char host[static API_HOST_MAX + 1], struct weir_err *err);

/* `host` as told above. WEIR_ESEMANTIC: no camera of this tenant can be there, and what to do. */
WEIR_MUST_USE enum weir_code api_source_url_judge(const char *host, const struct weir_reach *reach,
                                                  struct weir_err *err);

#endif
