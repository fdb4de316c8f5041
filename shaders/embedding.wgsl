// y[n,e] = table[tokens[n], e]; a token outside the table takes its nearest row
//
//   table   [V, E]
//   tokens  [N]
//   y       [N, E]; assigned
//
// One invocation copies one element. Workgroups: ⌈N·E/64⌉, folded into two dimensions.

struct Params {
  rows: u32,
  width: u32,
  vocabulary: u32,
}

@group(0) @binding(0) var<storage, read> table: array<f32>;
@group(0) @binding(1) var<storage, read> tokens: array<i32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = linear_index(workgroup, workgroups, local, 64u);
  if (i >= params.rows * params.width) {
    return;
  }
  let token = u32(clamp(tokens[i / params.width], 0, i32(params.vocabulary) - 1));
  y[i] = table[token * params.width + i % params.width];
}
