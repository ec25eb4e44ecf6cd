/** Shares (2 to 262144, 1024 usual) as weight (1 to 10000), by the linear rule of the other runtimes. */
export function weightOfShares(shares: number): string {
  const bounded = Math.min(Math.max(shares, 2), 262_144);
  return String(Math.floor(1 + ((bounded - 2) * 9999) / 262_142));
}

/** A weight of blkio (10 to 1000) as weight of io (1 to 10000). */
export function blockWeight(weight: number): string {
  return String(Math.floor(1 + ((Math.max(weight, 10) - 10) * 9999) / 990));
}
