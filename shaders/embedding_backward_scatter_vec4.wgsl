// dtable[tokens[n], e] += dy[n,e] as embedding_backward_scatter.wgsl has it, where widths and places are multiples
// of four
//
//   dy      [N, E]; rows dy_stride elements apart, from dy_offset
//   tokens  [N], from token_offset; one outside the table counts for its nearest row
//   dtable  [V, E]; added to, so it must hold zeros at first
//
// One invocation owns four columns. Workgroups: ⌈E/4/4⌉, folded into two dimensions.

struct Params {
  width: u32,
  vocabulary: u32,
  dy_offset: u32,
  dy_stride: u32,
  token_offset: u32,
  begin: u32,
  end: u32,
}

@group(0) @binding(0) var<storage, read> dy: array<vec4f>;
@group(0) @binding(1) var<storage, read> tokens: array<i32>;
@group(0) @binding(2) var<storage, read_write> dtable: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(4)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  let quad = linear_index(workgroup, workgroups, local, 4u);
  let quads = params.width / 4u;
  if (quad >= quads) {
    return;
  }
  let last = i32(params.vocabulary) - 1;
  let stride = params.dy_stride / 4u;
  var at = params.dy_offset / 4u + params.begin * stride + quad;
  for (var n = params.begin; n < params.end; n++) {
    let row = u32(clamp(tokens[params.token_offset + n], 0, last));
    dtable[row * quads + quad] += dy[at];
    at += stride;
  }
}
