// One time step of a simple RNN layer with layer normalization, both directions at once, after its product:
// h = tanh(a + LN(v) + b), or another activation. The bindings are in lib/recurrent_norm_forward.wgsl; the gate's
// value is the new state, before zoneout.
//
// One workgroup takes one batch row. Workgroups: (B, 1, D). H is padded to a multiple of four, with zeros.

@group(0) @binding(0) var<storage, read_write> gates: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> rows: array<vec4f>;
@group(0) @binding(2) var<storage, read> vectors: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> h: array<vec4f>;
@group(0) @binding(4) var<storage, read> mask: array<i32>;
@group(0) @binding(5) var<storage, read> seed: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) local: u32) {
  let direction = workgroup.z;
  let row = workgroup.x;
  let quads = params.hidden_quads;
  let moments = recurrent_moments(direction, row, local);
  for (var quad = local; quad < quads; quad += 64u) {
    let at = (params.gates_row[direction] + row) * quads + quad;
    let a = gates[at] + recurrent_part(direction, row, 0u, quad, moments);
    let h_new = candidate(a);
    store_state(direction, row, quad, quads, h_new);
    if (params.save != 0u) {
      gates[at] = h_new;
    }
  }
  save_scales(direction, row, local, moments.y, vec2f());
}
