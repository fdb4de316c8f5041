// What the kernels of layer normalization inside a recurrent layer share. They take a whole row by the 64
// invocations of one workgroup, each the quads of units that are its own in every loop.

// Which of the units 4·quad to 4·quad + 3 there are: widths are padded to a multiple of four.
fn within(quad: u32) -> vec4<bool> {
  return vec4u(quad * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(params.hidden_width);
}

// The sum over a row of width units a slot, from the sums of each invocation, divided by the row's length.
fn row_mean(sum: vec4f, slots: u32, local: u32) -> f32 {
  return row_sum(dot(sum, vec4f(1.0)), local, 64u) / f32(slots * params.hidden_width);
}
