/* SPDX-License-Identifier: Apache-2.0 */
/* Turns the settings lines that follow into rows of WEIR_SETTINGS_STRUCT; see settings.h. */
/* clang-format off */
#define WEIR_SETTING_STR(field, env, dflt, max, help) {WEIR_SETTING_TYPE_STR, #field, env, offsetof(WEIR_SETTINGS_STRUCT, field), dflt, 0, 0, max, "", help},
#define WEIR_SETTING_INT(field, env, dflt, min, max, unit, help) {WEIR_SETTING_TYPE_INT, #field, env, offsetof(WEIR_SETTINGS_STRUCT, field), "", dflt, min, max, unit, help},
#define WEIR_SETTING_BOOL(field, env, dflt, help) {WEIR_SETTING_TYPE_BOOL, #field, env, offsetof(WEIR_SETTINGS_STRUCT, field), "", dflt, 0, 1, "", help},
#define WEIR_SETTING_SECRET(field, env, max, help) {WEIR_SETTING_TYPE_SECRET, #field, env, offsetof(WEIR_SETTINGS_STRUCT, field), "", 0, 0, max, "", help},
