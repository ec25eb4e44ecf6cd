import {
  byteRate,
  duration,
  listOf,
  oneOf,
  textLike,
  wholeNumber,
  yesOrNo,
  type ConfKind,
} from './conf-kinds.js';

/** One key of berth.conf. */
export interface ConfKey<T> {
  readonly kind: ConfKind<T>;
  /** What holds where nothing is said. */
  readonly otherwise: T;
  /** The environment variable that counts more than the file. */
  readonly variable: string | undefined;
}

/**
 * Every key of berth.conf by its section: the one place where a key is added, besides berth.conf(5) and the sample in
 * packaging/ (test/unit/docs/berth-conf.test.ts holds them together). Where a command has an option for the same thing,
 * the command reads `options.x ?? conf.section.x`.
 */
export const CONF_KEYS = {
  deployments: {
    // The present one and the one before by default: what going back by one step needs. Each may be as large as its
    // image, and what shares blocks today need not tomorrow.
    keep: key(wholeNumber(1, 100), 2, 'BERTH_KEEP_DEPLOYMENTS'),
  },
  health: {
    // An update waits for it.
    soak: key(duration(0, 86_400), undefined, 'BERTH_HEALTH_SOAK'),
  },
  storage: {
    // Without it: OSTree on a host that was booted from it, if its repository is beside the checkouts.
    backend: key(oneOf(['embedded', 'ostree']), undefined, 'BERTH_STORAGE'),
    'ostree-repository': key(
      textLike(/^\/[^\0]*$/, 'an absolute path'),
      undefined,
      'BERTH_OSTREE_REPO',
    ),
    // Off for file systems that do not say how much fits: those that compress, or that keep what is alike once.
    'check-space': key(yesOrNo(), true, 'BERTH_CHECK_SPACE'),
    // The repository's own configuration counts more. Sealing costs time, and few file systems have it switched on.
    'ostree-fs-verity': key(oneOf(['no', 'maybe', 'yes']), 'no' as const),
    'ostree-composefs': key(oneOf(['no', 'maybe', 'yes']), 'no' as const),
  },
  scan: {
    'default-scanner': key(
      textLike(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'the name of a scanner'),
      undefined,
    ),
  },
  trust: {
    policy: key(textLike(/^\/[^\0]*$/, 'an absolute path'), undefined, 'BERTH_POLICY'),
    'registries-d': key(
      textLike(/^\/[^\0]*$/, 'an absolute path'),
      '/etc/containers/registries.d',
      'BERTH_REGISTRIES_D',
    ),
    // What gpg knows a key by: a fingerprint, a key id, an address of mail.
    'sign-by': key(textLike(/^[^\0-][^\0]{0,254}$/, 'the name of a key'), undefined),
    'gnupg-home': key(textLike(/^\/[^\0]*$/, 'an absolute path'), undefined),
    // A policy that says it could not be read by podman and skopeo, which share it and refuse what they do not know.
    'unnamed-signatures': key(
      listOf(/^[^\s\p{C}]{1,255}$/u, 'a list of scopes: REGISTRY[/NAMESPACE…][:TAG] or *.DOMAIN'),
      [] as readonly string[],
    ),
    // Longer than an hour, or every image would be old, and at most ten years.
    'max-age': key(duration(3600, 315_360_000), undefined, 'BERTH_MAX_AGE'),
  },
  network: {
    parallel: key(wholeNumber(1, 32), undefined),
    'max-rate': key(byteRate(), undefined),
    'connect-timeout': key(duration(1, 600), undefined),
    // An hour: who waits longer than that has given up himself.
    timeout: key(duration(1, 3600), undefined),
    retries: key(wholeNumber(0, 100), undefined),
    // A registry that could name any host as its token server would collect passwords: whoever trusts one says so.
    'trusted-realm-hosts': key(
      listOf(
        /^[A-Za-z0-9[][A-Za-z0-9.:\][-]{0,254}=[A-Za-z0-9][A-Za-z0-9.-]{0,252}$/,
        'a list of REGISTRY=HOST',
      ),
      [] as readonly string[],
    ),
  },
} as const;

function key<T, Otherwise>(
  kind: ConfKind<T>,
  otherwise: Otherwise,
  variable?: string,
): ConfKey<T | Otherwise> {
  return { kind, otherwise, variable };
}
