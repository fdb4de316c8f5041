// Layer normalization of x·W_ihᵀ, of all steps and directions at once: a = gain⊙(v − mean)/√(var + ε) + bias + b_ih
//
//   rows     [D, N, slots, H] in: v; out when save: v normalized, before gain and bias; otherwise a.
//            Behind them, from scales_at, when save: 1/√(var + ε) of each row
//   gates    [D, N, slots, H] out when save: a
//   vectors  [D, 3, slots, H] gain, bias, b_ih
//
// One workgroup takes one row; rows lie N = per_direction apart for each direction, of which row_count are used.
// Workgroups: D·row_count, folded into two dimensions. H is padded to a multiple of four, with zeros.

struct Params {
  row_count: u32,
  per_direction: u32,
  directions: u32,
  slots: u32,
  hidden_quads: u32,    // H/4
  hidden_width: u32,    // H as it is, unpadded
  vector_stride: u32,   // from one direction's vectors to the next
  scales_at: u32,
  save: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<storage, read_write> rows: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> gates: array<vec4f>;
@group(0) @binding(2) var<storage, read> vectors: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  let index = workgroup.y * workgroups.x + workgroup.x;
  let inside = index < params.directions * params.row_count;
  // A workgroup past the last row repeats it, and keeps nothing.
  let used = min(index, params.directions * params.row_count - 1u);
  let direction = used / params.row_count;
  let row = direction * params.per_direction + used % params.row_count;
  let quads = params.hidden_quads;
  let length = params.slots * quads;
  let moments = row_moments(row * length, local);
  if (!inside) {
    return;
  }
  for (var quad = local; quad < quads; quad += 64u) {
    for (var slot = 0u; slot < params.slots; slot++) {
      let at = row * length + slot * quads + quad;
      let vector = direction * params.vector_stride + slot * quads + quad;
      let normalized = select(vec4f(0.0), (rows[at] - moments.x) * moments.y, within(quad));
      let a = vectors[vector] * normalized + vectors[vector + length] + vectors[vector + 2u * length];
      if (params.save != 0u) {
        rows[at] = normalized;
        gates[at] = a;
      } else {
        rows[at] = a;
      }
    }
  }
  if (params.save != 0u && local == 0u) {
    rows[params.scales_at + row] = vec4f(moments.y);
  }
}
