import type { JsonReader } from '../base/json-reader.js';

/** What an administrator chose of the filter: nothing, that there is to be none, or a profile of his own. */
export type FilterChoice =
  | { readonly kind: 'default' }
  | { readonly kind: 'unconfined' }
  | { readonly kind: 'file'; readonly file: string; readonly profile: string };

/** The filter of a deployment: that of its image's config.json, berth's, none, or one that the administrator gave. */
export type DeployedFilter =
  { readonly kind: 'image' | 'berth' } | Exclude<FilterChoice, { readonly kind: 'default' }>;

/** Where nobody chose anything. */
export const DEFAULT_FILTER: FilterChoice = { kind: 'default' };

/** The choice that a deployment was made with. */
export function choiceOf(filter: DeployedFilter | undefined): FilterChoice {
  return filter?.kind === 'file' || filter?.kind === 'unconfined' ? filter : DEFAULT_FILTER;
}

/** Whether two choices come to the same filter. */
export function sameChoice(one: FilterChoice, other: FilterChoice): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** The filter in a person's words: what there is, since changes of its config.json count more than what was chosen. */
export function describeFilter(filter: DeployedFilter | undefined, hasFilter: boolean): string {
  if (hasFilter) {
    if (filter?.kind === 'berth') return "those that berth's own filter lets through";
    if (filter?.kind === 'file') return `those that the profile ${filter.file} lets through`;
    return 'those that its config.json lets through';
  }
  return filter?.kind === 'unconfined'
    ? 'all: there is no filter (--seccomp unconfined)'
    : 'all: its config.json has no filter';
}

/** Reads what a deployment's record says of its filter; undefined where an older berth wrote it. */
export function parseDeployedFilter(reader: JsonReader): DeployedFilter | undefined {
  if (!reader.present) return undefined;
  switch (reader.member('kind').string()) {
    case 'file':
      return {
        kind: 'file',
        file: reader.member('file').string(),
        profile: reader.member('profile').string(),
      };
    case 'unconfined':
      return { kind: 'unconfined' };
    case 'berth':
      return { kind: 'berth' };
    default:
      return { kind: 'image' };
  }
}
