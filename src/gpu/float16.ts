/** Numbers in sixteen bits, as shaders unpack them. */

/**
 * Rows of float16, each filled up to an even length with zeros: the nearest number, of two that are as near the even
 * one; 65504 for what is larger, and zero for what is below 2⁻¹⁴, where adapters differ. NaN and infinities stay what
 * they are. As `shaders/strided_copy_float16.wgsl` does it.
 */
export function toFloat16(numbers: Float32Array, columns: number): Uint16Array<ArrayBuffer> {
  const words = new Uint32Array(numbers.buffer, numbers.byteOffset, numbers.length);
  const stride = columns + (columns % 2);
  const result = new Uint16Array((numbers.length / columns) * stride);
  for (let from = 0, to = 0; from < words.length; from += columns, to += stride) {
    for (let k = 0; k < columns; k++) result[to + k] = halfOf(words[from + k]!);
  }
  return result;
}

function halfOf(word: number): number {
  const sign = (word >>> 16) & 0x8000;
  const size = word & 0x7fffffff;
  if (size >= 0x7f800000) return sign | (size > 0x7f800000 ? 0x7e00 : 0x7c00);
  if (size < 0x38800000) return sign;
  // An exponent less by 112, and thirteen digits less.
  return sign | Math.min((size + 0xfff + ((size >>> 13) & 1) - 0x38000000) >>> 13, 0x7bff);
}
