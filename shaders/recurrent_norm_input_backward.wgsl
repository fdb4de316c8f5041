// The same backwards: dv = (e − mean(e) − v̂·mean(e⊙v̂))/√(var + ε) with e = gain⊙da, over the row; and da⊙v̂, whose
// sums over all rows are the gain's gradient.
//
//   rows     [D, N, slots, H] in: v̂, that is v normalized; out: dv. From scales_at on: 1/√(var + ε) of each row
//   gates    [D, N, slots, H] in: da; out: da⊙v̂
//   vectors  [D, 3, slots, H] gain, and what is not read
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
  var sum = vec4f();
  var product = vec4f();
  for (var quad = local; quad < quads; quad += 64u) {
    for (var slot = 0u; slot < params.slots; slot++) {
      let at = row * length + slot * quads + quad;
      let e = gates[at] * vectors[direction * params.vector_stride + slot * quads + quad];
      sum += e;
      product += e * rows[at];
    }
  }
  let mean = row_mean(sum, params.slots, local);
  let slope = row_mean(product, params.slots, local);
  if (!inside) {
    return;
  }
  let scale = rows[params.scales_at + row].x;
  for (var quad = local; quad < quads; quad += 64u) {
    for (var slot = 0u; slot < params.slots; slot++) {
      let at = row * length + slot * quads + quad;
      let d = gates[at];
      let normalized = rows[at];
      let e = d * vectors[direction * params.vector_stride + slot * quads + quad];
      gates[at] = d * normalized;
      rows[at] = select(vec4f(0.0), scale * (e - mean - normalized * slope), within(quad));
    }
  }
}
