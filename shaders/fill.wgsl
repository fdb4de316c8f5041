// y[i] = value
//
//   y  [count]; assigned
//
// One invocation computes one element. Workgroups: ⌈count/64⌉, folded into two dimensions.

struct Params {
  count: u32,
  value: f32,
}

@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = linear_index(workgroup, workgroups, local, 64u);
  if (i < params.count) {
    y[i] = params.value;
  }
}
