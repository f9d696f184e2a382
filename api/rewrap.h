/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealing cameras' sources again for a new key (docs/adr/0031). The api cannot open what it keeps,
 * so it only hands out what is sealed for another key than its own, and takes what `weirctl rewrap`
 * made of it, if the camera was not changed meanwhile. Nothing but the sealed text changes: no
 * version, and so no worker does anything.
 *
 *     GET  /internal/v1/seals?after={camera_id}          one page, by the cameras' ids
 *     200 {"key":"9f86...","left":[{"key":"1b4f...","cameras":7}],
 *          "items":[{"tenant_id":"...","camera_id":"...","sealed":"1b4f....AbC..."}]}
 *
 *     POST /internal/v1/seals/{camera_id} {"was":"<SHA-256 of the old text>","sealed":"9f86...."}
 *     204; 404: it is gone; 409: not for the key that the api seals for; 412: changed meanwhile
 */
#ifndef WEIR_API_REWRAP_H
#define WEIR_API_REWRAP_H

#include "lib/io/http_server.h"

weir_http_handler_fn api_rewrap_list;
weir_http_handler_fn api_rewrap_put;

#endif
