/** Apart from the rest of the rule, for every command looks at what such units left behind. */

/** The reason of a part of a unit: what follows may be the rest of it, and then the whole is judged. */
export const notWhole = "the unit that it belongs to is not whole"
