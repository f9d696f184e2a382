/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The test camera: a real RTSP server with a synthetic picture, and with the faults of real
 * cameras on demand. It is a program of its own for tests and demos; nothing of Weir links it.
 *
 * Encoding runs only while somebody watches. The picture's top 16 rows carry the time at which it
 * was taken (see stamp.h), and the RTCP sender reports say the same time. Its sound is a short tone
 * at the begin of each second of that time, and silence else.
 */
#ifndef TESTS_CAMERA_CAMERA_H
#define TESTS_CAMERA_CAMERA_H

#include <stdbool.h>
#include <stddef.h>

enum camera_codec { CAMERA_H264, CAMERA_H265, CAMERA_MJPEG, CAMERA_VP8 };

/* Of H.264. */
enum camera_pixels { CAMERA_PLAIN, CAMERA_422, CAMERA_10_BIT, CAMERA_INTERLACED };

enum camera_audio {
    CAMERA_NO_AUDIO,
    CAMERA_AAC,
    CAMERA_OPUS,
    CAMERA_PCMA,
    CAMERA_PCMU,
    CAMERA_L16
};

/* What is wrong with the camera at the moment. */
enum camera_fault {
    CAMERA_FINE,
    CAMERA_SILENT,     /* accepts connections and never answers; running sessions stand still */
    CAMERA_FREEZE,     /* answers everything, sends the first second, then no more media */
    CAMERA_GARBAGE,    /* RTP packets arrive, their payload is noise */
    CAMERA_REFUSE,     /* nobody listens, running sessions are cut */
    CAMERA_WRONGPASS,  /* another password is wanted than yesterday, running sessions are cut */
    CAMERA_REDIRECT,   /* DESCRIBE answers 302 with a Location */
    CAMERA_NOTFOUND,   /* DESCRIBE answers 404 */
    CAMERA_BUSY,       /* SETUP answers 453 */
    CAMERA_NOKEY,      /* no keyframe is ever sent after the first second */
    CAMERA_LOSSY,      /* one RTP packet in a hundred is lost on the way */
    CAMERA_VERY_LOSSY, /* five of them */
    CAMERA_FROZEN,     /* sends on, but the same picture again and again */
    CAMERA_BLACK,      /* sends on, but nothing is in the picture; nor the time */
    CAMERA_COVERED,    /* as if a hand was on the lens */
    CAMERA_CLOCK,      /* its clock is set three seconds ahead, as its sender reports tell it */
    CAMERA_N_FAULTS
};

/* Everything is fixed at the start, except the fault. Strings live as long as the program. */
struct camera_settings {
    const char *listen; /* address */
    int port;
    const char *path; /* mount point, begins with a slash */
    enum camera_codec codec;
    enum camera_pixels pixels;
    enum camera_audio audio;
    int width, height; /* pixels; width a multiple of 40 so that the stamp's cells are whole */
    int fps;
    int gop;     /* frames from one keyframe to the next */
    int bframes; /* 0..4, consecutive B-frames */
    int bitrate_kbps;
    bool is_noisy;    /* noise in the picture, so that the bitrate is really used */
    bool is_room;     /* an empty room with a sensor's noise, instead of a ball */
    const char *user; /* NULL: no authentication; otherwise digest only */
    char *password;
    const char *redirect; /* Location of CAMERA_REDIRECT */
    const char *control;  /* NULL, or a file that holds the name of the present fault */
};

/*
 * The fault of that name ("none", "silent", "freeze", ...).
 *
 * `name`  NUL-terminated; trailing white space is ignored.
 * `ret`   set on success only.
 *
 * Returns false for an unknown name.
 */
bool camera_fault_find(const char *name, enum camera_fault *ret);

/* The name of a fault, as `camera_fault_find` takes it. */
const char *camera_fault_name(enum camera_fault fault);

#endif
