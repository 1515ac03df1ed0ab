import type { ImageSummary } from '../../engine/image/list.ts';
import { fail } from '../../model/errors.ts';
import { shortId } from '../../model/ids.ts';
import { humanAgo, spacedSize } from '../render/human.ts';
import { templateView } from '../render/view.ts';

export const SORT_KEYS: readonly string[] = ['created', 'id', 'repository', 'size', 'tag'];

const NONE = '<none>';

/** One line of `images`: an image under one of its names, with the fields of podman's templates. */
export interface ImageRow extends Omit<ImageSummary, 'Size' | 'Created' | 'History'> {
  readonly Repository: string;
  readonly Tag: string;
  readonly ID: string;
  readonly Created: string;
  readonly CreatedAt: string;
  readonly CreatedSince: string;
  readonly CreatedTime: string;
  readonly IsDangling: boolean;
  readonly IsReadOnly: false;
  readonly ReadOnly: false;
  readonly Size: string;
  readonly History: string;
}

/** `docker.io/library/redis:7` as repository and tag. */
function splitName(name: string): readonly [repository: string, tag: string] {
  const colon = name.indexOf(':', name.lastIndexOf('/') + 1);
  return colon < 0 ? [name, NONE] : [name.slice(0, colon), name.slice(colon + 1)];
}

/** The form of Go's time.String, to the second. */
const goTime = (seconds: number): string =>
  `${new Date(seconds * 1000).toISOString().slice(0, 19).replace('T', ' ')} +0000 UTC`;

/** A line for each name of each image; `now` in milliseconds. */
export function imageRows(
  summaries: readonly ImageSummary[],
  { noTrunc, now }: { readonly noTrunc: boolean; readonly now: number },
): ImageRow[] {
  return summaries.flatMap((summary) => {
    const names = summary.Names.length === 0 ? [[NONE, NONE] as const] : summary.Names.map(splitName);
    const seconds = Math.floor(Date.parse(summary.Created) / 1000);
    return names.map(([Repository, Tag]) =>
      templateView(
        {
          ...summary,
          Repository,
          Tag,
          ID: noTrunc ? `sha256:${summary.Id}` : shortId(summary.Id),
          Created: humanAgo(summary.Created, now),
          CreatedAt: goTime(seconds),
          CreatedSince: humanAgo(summary.Created, now),
          CreatedTime: goTime(seconds),
          IsDangling: summary.Dangling,
          IsReadOnly: false as const,
          ReadOnly: false as const,
          Size: spacedSize(summary.Size),
          History: summary.History.join(', '),
        },
        summaryAsJson(summary),
      ),
    );
  });
}

/** JSON of one line, in podman's shape: without what is empty. */
export const rowAsJson = (row: ImageRow): unknown => row;

function summaryAsJson(summary: ImageSummary): Readonly<Record<string, unknown>> {
  const { Names, History, Dangling, Created, Labels, RepoTags: _, ...rest } = summary;
  const seconds = Math.floor(Date.parse(Created) / 1000);
  return {
    ...rest,
    Labels: Object.keys(Labels).length === 0 ? null : Labels,
    ...(Dangling ? { Dangling } : { Names, History }),
    Created: seconds,
    CreatedAt: new Date(seconds * 1000).toISOString().replace('.000Z', 'Z'),
  };
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Rows in the order that --sort asks for; equal ones keep theirs. Errors: USAGE. */
export function sortRows(rows: readonly ImageRow[], key: string): ImageRow[] {
  switch (key) {
    case 'created':
      return [...rows];
    case 'id':
      return rows.toSorted((a, b) => compare(a.Id, b.Id));
    case 'repository':
      return rows.toSorted((a, b) => compare(a.Repository, b.Repository) || compare(a.Tag, b.Tag));
    case 'size':
      return rows.toSorted((a, b) => a.VirtualSize - b.VirtualSize);
    case 'tag':
      return rows.toSorted((a, b) => compare(a.Tag, b.Tag));
    default:
      return fail('USAGE', {
        message: `invalid argument "${key}" for "--sort" flag: "${key}" is not a valid choice, must be one of: ${SORT_KEYS.join(', ')}`,
      });
  }
}
