/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What front doors that verify tickets by themselves need to know (DESIGN section 6): the public
 * keys, and what was revoked. They ask every other second; a route of the internal listener.
 */
#ifndef WEIR_API_FRONT_DOORS_H
#define WEIR_API_FRONT_DOORS_H

#include "lib/io/http_server.h"

weir_http_handler_fn api_front_doors_get;

#endif
