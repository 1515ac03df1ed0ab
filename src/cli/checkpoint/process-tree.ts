interface Node {
  readonly pid: number;
  readonly parent: number;
}

/** One line of a tree: a process and the lines of the drawing before it. */
export interface TreeLine<T extends Node> {
  readonly task: T;
  readonly branch: string;
}

/** Deeper trees are drawn no further to the right. */
const MAX_DRAWN = 40;

/**
 * Processes as a tree, children sorted by number. Without recursion, and each process once whatever the images say:
 * those that are in a circle, or have lost their parent, stand at the top.
 */
export function processTree<T extends Node>(tasks: readonly T[]): TreeLine<T>[] {
  const byPid = (one: T, other: T): number => one.pid - other.pid;
  const known = new Set(tasks.map(({ pid }) => pid));
  const children = Map.groupBy(tasks.toSorted(byPid), ({ parent }) => parent);
  const drawn = new Set<T>();
  const lines: TreeLine<T>[] = [];
  const tops = tasks.filter(({ pid, parent }) => parent === pid || !known.has(parent));
  for (const top of [...tops.toSorted(byPid), ...tasks]) {
    const waiting = [{ task: top, branch: '', below: '', depth: 0 }];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { task, branch, below, depth } = next;
      if (drawn.has(task)) continue;
      drawn.add(task);
      lines.push({ task, branch });
      const own = children.get(task.pid) ?? [];
      for (const [index, child] of [...own.entries()].toReversed()) {
        const last = index === own.length - 1;
        const room = depth < MAX_DRAWN;
        waiting.push({
          task: child,
          branch: `${below}${last ? '└─ ' : '├─ '}`,
          below: room ? `${below}${last ? '   ' : '│  '}` : below,
          depth: depth + 1,
        });
      }
    }
  }
  return lines;
}
