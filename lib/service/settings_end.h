/* SPDX-License-Identifier: Apache-2.0 */
/* Ends a block begun by settings_fields.h or settings_rows.h. */
#undef WEIR_SETTING_STR
#undef WEIR_SETTING_INT
#undef WEIR_SETTING_BOOL
#undef WEIR_SETTING_SECRET
#undef WEIR_SETTINGS_STRUCT
