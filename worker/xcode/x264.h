/* SPDX-License-Identifier: Apache-2.0 */
/* How x264 encodes a rendition, whichever engine runs it (docs/adr/0034, 0043). */
#ifndef WEIR_WORKER_XCODE_X264_H
#define WEIR_WORKER_XCODE_X264_H

/* What costs more shows nothing more. */
#define X264_PRESET "superfast"
#define X264_TUNE   "zerolatency"
/* Keyframes where they are asked for and nowhere else; one thread, one slice. */
#define X264_PARAMS "scenecut=0:open-gop=0:8x8dct=0:sliced-threads=0:threads=1"
/* The encoder's own limit between keyframes, never reached: each is asked for. */
#define X264_GOP_MOST 100000

#endif
