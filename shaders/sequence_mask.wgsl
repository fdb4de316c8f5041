// mask[t,b] = 1 where t < lengths[b], else 0
//
//   lengths  [B]
//   mask     [T, B]; assigned
//
// One invocation computes one element. Workgroups: ⌈T·B/64⌉, folded into two dimensions.

struct Params {
  steps: u32,
  batch: u32,
}

@group(0) @binding(0) var<storage, read> lengths: array<i32>;
@group(0) @binding(1) var<storage, read_write> mask: array<i32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = linear_index(workgroup, workgroups, local, 64u);
  if (i < params.steps * params.batch) {
    mask[i] = select(0, 1, i32(i / params.batch) < lengths[i % params.batch]);
  }
}
