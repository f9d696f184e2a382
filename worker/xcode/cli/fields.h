/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_WORKER_XCODE_CLI_FIELDS_H
#define WEIR_WORKER_XCODE_CLI_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Whether pictures of an H.264 stream may be of fields: frame_mbs_only_flag of its sequence
 * parameter set (ITU-T H.264, 7.3.2.1.1). `unit` as in lib/domain/xcode.h, any bytes; false where
 * there is no such set, or one that is damaged. Pure.
 */
bool fields_may_be(const uint8_t *unit, size_t len);

#endif
