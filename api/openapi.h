/* SPDX-License-Identifier: Apache-2.0 */
/* api/openapi.yaml as JSON, put into the program by tools/openapi-embed at build time. */
#ifndef WEIR_API_OPENAPI_H
#define WEIR_API_OPENAPI_H

#include <stddef.h>

extern const char api_openapi_json[];
extern const size_t api_openapi_json_len; /* without the NUL */
extern const char api_openapi_etag[];     /* with its quotes */

#endif
