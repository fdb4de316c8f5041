// y[t,b, d·R + j] = h of direction d after step t, 0 where the sequence has ended
//
//   h     states by step: element (t·B + b, j) of direction d at h_offset[d] + (t·B + b)·h_stride + j
//   mask  [T·B], read when has_mask
//   y     [T·B, D·R]; rows from first_row on are assigned
//
// One invocation copies one element. Workgroups: ⌈rows·D·R/64⌉, folded into two dimensions.

struct Params {
  first_row: u32,
  rows: u32,         // how many, T·B at most
  width: u32,        // R
  directions: u32,   // D
  h_offset: vec2u,   // for each direction
  h_stride: u32,
  has_mask: u32,
}

@group(0) @binding(0) var<storage, read> h: array<f32>;
@group(0) @binding(1) var<storage, read> mask: array<i32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = linear_index(workgroup, workgroups, local, 64u);
  let columns = params.directions * params.width;
  if (i >= params.rows * columns) {
    return;
  }
  let row = params.first_row + i / columns;
  let direction = i % columns / params.width;
  var value = h[params.h_offset[direction] + row * params.h_stride + i % params.width];
  if (params.has_mask != 0u && mask[row] == 0) {
    value = 0.0;
  }
  y[params.first_row * columns + i] = value;
}
