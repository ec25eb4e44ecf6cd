/** The end of what every plan says. */
export const NOTHING_CHANGED = "Nothing was changed. Leave '--plan' away to carry this out.";
