// SPDX-License-Identifier: Apache-2.0
// Byte ranges (RFC 9110, 14), as nginx takes them with max_ranges 1.

export interface Range {
  first: number;
  length: number;
}

/** undefined: the whole file; "none": no such bytes (416). */
export function rangeOf(header: string | null, size: number): Range | "none" | undefined {
  if (header === null || !/^bytes=/i.test(header)) return undefined;
  const asked = header.slice("bytes=".length);
  if (asked.includes(",")) return undefined;
  const found = /^ *(\d*) *- *(\d*) *$/.exec(asked);
  if (!found || (found[1] === "" && found[2] === "")) return "none";
  const isSuffix = found[1] === "";
  const first = isSuffix ? Math.max(0, size - Number(found[2])) : Number(found[1]);
  const last = isSuffix || found[2] === "" ? size - 1 : Math.min(Number(found[2]), size - 1);
  return first < size && first <= last ? { first, length: last - first + 1 } : "none";
}

/** These bytes of a body, as they come in; the rest is not read. */
export async function pump(
  body: ReadableStream<Uint8Array>,
  { first, length }: Range,
  to: WritableStream<Uint8Array>,
): Promise<void> {
  const writer = to.getWriter();
  const end = first + length;
  let at = 0;
  try {
    for await (const chunk of body) {
      const from = Math.max(first - at, 0);
      const until = Math.min(end - at, chunk.byteLength);
      if (from < until) await writer.write(chunk.subarray(from, until));
      at += chunk.byteLength;
      if (at >= end) break;
    }
    await writer.close();
  } catch (error) {
    await writer.abort(error);
  }
}
