/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The media side of the camera: stamps pictures, reports capture time by RTCP, and spoils what is
 * sent according to the present fault.
 */
#ifndef TESTS_CAMERA_MEDIA_H
#define TESTS_CAMERA_MEDIA_H

#include <gst/rtsp-server/rtsp-server.h>

#include "tests/camera/camera.h"

/*
 * A factory for the camera's one mount, shared by all its viewers.
 *
 * `settings`  kept; must outlive the factory.
 *
 * Returns a new reference.
 */
GstRTSPMediaFactory *media_factory_new(const struct camera_settings *settings);

/* Changes what happens to the media, at once and for all viewers. Any thread may call it. */
void media_set_fault(enum camera_fault fault);

#endif
