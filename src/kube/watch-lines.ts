const NEWLINE = 0x0a

/**
 * Cuts a stream of bytes into lines. It cuts bytes and decodes whole lines, so a character split over two
 * chunks stays whole. Throws when the stream ends in the middle of a line: then something was cut off.
 */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void> {
  let partial: Uint8Array[] = []
  for await (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const piece = chunk.subarray(start, end)
      const line = partial.length === 0 ? piece : Buffer.concat([...partial, piece])
      partial = []
      start = end + 1
      if (line.length > 0) yield Buffer.from(line.buffer, line.byteOffset, line.length).toString('utf8')
    }
    if (start < chunk.length) partial.push(chunk.subarray(start))
  }
  if (partial.length > 0) throw new Error('the stream ended in the middle of a line')
}
