// y[y_offset + Σ index·y_stride] = x[x_offset + Σ index·x_stride] for every index below size; zero where an
// index is not below x_size. Slices, transposes, concatenations, paddings, broadcasts and packed weights are
// all this. Bits are copied, whatever their type.
//
//   x  read
//   y  assigned
//
// One invocation copies one element. Workgroups: ⌈product of size/64⌉, folded into two dimensions.

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

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = linear_index(workgroup, workgroups, local, 64u);
  let size = params.size;
  if (i >= size.x * size.y * size.z * size.w) {
    return;
  }
  let index = vec4u(i / (size.w * size.z * size.y), i / (size.w * size.z) % size.y, i / size.w % size.z, i % size.w);
  var value = 0u;
  if (all(index < params.x_size)) {
    value = x[params.x_offset + dot(index, params.x_stride)];
  }
  y[params.y_offset + dot(index, params.y_stride)] = value;
}
