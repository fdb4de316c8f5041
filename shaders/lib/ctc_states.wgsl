// The states of a CTC target: its labels with blanks around and between them. For kernels with targets [B, S] and
// the parameters labels (S), classes and blank.

fn class_of(b: u32, state: u32) -> u32 {
  if (state % 2u == 0u) {
    return params.blank;
  }
  return u32(clamp(targets[b * params.labels + state / 2u], 0, i32(params.classes) - 1));
}

// Whether a path may go from the state two before to this one: past a blank, unless that parts two equal labels.
fn skips_to(b: u32, state: u32) -> bool {
  return state % 2u == 1u && state > 2u && class_of(b, state) != class_of(b, state - 2u);
}
