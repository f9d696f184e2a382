/* SPDX-License-Identifier: Apache-2.0 */
/* The GStreamer pipeline of a camera, as text: picture and sound, encoded and packed into RTP. */
#ifndef TESTS_CAMERA_PIPELINE_H
#define TESTS_CAMERA_PIPELINE_H

#include "tests/camera/camera.h"

#define PIPELINE_SOUND_HZ 48000 /* of the element "sound": S16, one channel */

/* Returns the launch line; the caller frees it with g_free. */
char *pipeline_text(const struct camera_settings *settings);

#endif
