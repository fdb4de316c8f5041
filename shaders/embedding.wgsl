// y[n,e] = table[tokens[n], e]; a token outside the table takes its nearest row
//
//   table   [V, E]
//   tokens  [N], from token_offset
//   y       [N, E]; rows y_stride elements apart, from y_offset; assigned
//
// One invocation copies four neighbouring elements. Workgroups: ⌈N·⌈E/4⌉/64⌉, folded into two dimensions.

struct Params {
  rows: u32,
  width: u32,
  vocabulary: u32,
  token_offset: u32,
  y_offset: u32,
  y_stride: u32,
}

@group(0) @binding(0) var<storage, read> table: array<f32>;
@group(0) @binding(1) var<storage, read> tokens: array<i32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = linear_index(workgroup, workgroups, local, 64u);
  let quads = (params.width + 3u) / 4u;
  let row = i / quads;
  if (row >= params.rows) {
    return;
  }
  let token = u32(clamp(tokens[params.token_offset + row], 0, i32(params.vocabulary) - 1));
  let column = i % quads * 4u;
  let source = token * params.width;
  let destination = params.y_offset + row * params.y_stride;
  for (var e = column; e < min(column + 4u, params.width); e++) {
    y[destination + e] = table[source + e];
  }
}
