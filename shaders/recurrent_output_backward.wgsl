// dh[d, t,b, j] = dy[t,b, d·R + j], 0 beyond R: the gradient of the outputs, by direction, rows padded
//
//   dy  [T·B, D·R]
//   dh  [D, T·B, P]; assigned
//
// One invocation copies one element. Workgroups: ⌈D·T·B·P/64⌉, folded into two dimensions.

struct Params {
  rows: u32,         // T·B
  width: u32,        // R
  padded: u32,       // P
  directions: u32,   // D
}

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> dh: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = linear_index(workgroup, workgroups, local, 64u);
  if (i >= params.directions * params.rows * params.padded) {
    return;
  }
  let column = i % params.padded;
  let row = i / params.padded % params.rows;
  let direction = i / (params.padded * params.rows);
  var value = 0.0;
  if (column < params.width) {
    value = dy[(row * params.directions + direction) * params.width + column];
  }
  dh[i] = value;
}
