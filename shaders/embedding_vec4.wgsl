// y[n,e] = table[tokens[n], e] as embedding.wgsl has it, where widths and places are multiples of four
//
//   table   [V, E]
//   tokens  [N], from token_offset
//   y       [N, E]; rows y_stride elements apart, from y_offset; assigned
//
// One invocation copies sixteen neighbouring elements. Workgroups: ⌈N·⌈E/16⌉/64⌉, folded into two dimensions.

struct Params {
  rows: u32,
  width: u32,
  vocabulary: u32,
  token_offset: u32,
  y_offset: u32,
  y_stride: u32,
}

@group(0) @binding(0) var<storage, read> table: array<vec4f>;
@group(0) @binding(1) var<storage, read> tokens: array<i32>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = linear_index(workgroup, workgroups, local, 64u);
  let quads = params.width / 4u;
  let blocks = (quads + 3u) / 4u;
  let row = i / blocks;
  if (row >= params.rows) {
    return;
  }
  let token = u32(clamp(tokens[params.token_offset + row], 0, i32(params.vocabulary) - 1));
  let source = token * quads;
  let destination = (params.y_offset + row * params.y_stride) / 4u;
  let first = i % blocks * 4u;
  for (var quad = first; quad < min(first + 4u, quads); quad++) {
    y[destination + quad] = table[source + quad];
  }
}
