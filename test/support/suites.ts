/** The Debian releases whose systemd berth is proved on. */
export const suites = ['bookworm', 'trixie', 'forky'] as const;

/** One of {@link suites}. */
export type Suite = (typeof suites)[number];

/** The systemd each release has, as its major version. */
export const systemdVersion: Readonly<Record<Suite, number>> = {
  bookworm: 252,
  trixie: 257,
  forky: 262,
};
