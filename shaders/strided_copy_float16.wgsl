// As strided_copy.wgsl, with y in float16, two to a word: the nearest, of two that are as near the even one; 65504 for
// what is larger, and zero for what is below 2⁻¹⁴, where adapters differ. NaN and infinities stay what they are.
//
//   x  read
//   y  assigned; its last stride is 1, its offset and other strides are even
//
// One invocation writes one word, and size counts words along the last dimension, all else elements. Workgroups:
// ⌈product of size/64⌉, folded into two dimensions.

struct Params {
  size: vec4u,
  x_size: vec4u,
  x_stride: vec4u,
  y_stride: vec4u,
  x_offset: u32,
  y_offset: u32,
}

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

// The bits of a float32 as those of a float16, by whole numbers: pack2x16float may round either way.
fn to_float16(bits: u32) -> u32 {
  let magnitude = bits & 0x7fffffffu;
  // An exponent less by 112, and thirteen digits less.
  var half = min((magnitude + 0xfffu + ((magnitude >> 13u) & 1u) - 0x38000000u) >> 13u, 0x7bffu);
  if (magnitude < 0x38800000u) {
    half = 0u;
  }
  if (magnitude >= 0x7f800000u) {
    half = select(0x7e00u, 0x7c00u, magnitude == 0x7f800000u);
  }
  return ((bits >> 16u) & 0x8000u) | half;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = linear_index(workgroup, workgroups, local, 64u);
  let size = params.size;
  if (i >= size.x * size.y * size.z * size.w) {
    return;
  }
  var index = vec4u(i / (size.w * size.z * size.y), i / (size.w * size.z) % size.y, i / size.w % size.z, 2u * (i % size.w));
  let at = (params.y_offset + dot(index, params.y_stride)) / 2u;
  var word = 0u;
  for (var side = 0u; side < 2u; side++) {
    if (all(index < params.x_size)) {
      word |= to_float16(x[params.x_offset + dot(index, params.x_stride)]) << (16u * side);
    }
    index.w++;
  }
  y[at] = word;
}
