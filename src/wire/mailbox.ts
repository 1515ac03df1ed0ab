/** A queue between one that puts and one that takes, each waiting for the other. */
export interface Mailbox<T> {
  /** Returns once there is room again. After a failure it returns at once, and the item is dropped. */
  readonly put: (item: T) => Promise<void>;
  /** The next item; after all of them, throws what it failed with. One call at a time. */
  readonly take: () => Promise<T>;
  readonly isEmpty: () => boolean;
  /** Whoever puts has to wait. */
  readonly isFull: () => boolean;
  /** Nothing more will come. The first failure counts. */
  readonly fail: (error: unknown) => void;
}

export function mailbox<T>(capacity: number): Mailbox<T> {
  const items: T[] = [];
  let failure: { readonly error: unknown } | undefined;
  let onItem: (() => void) | undefined;
  let onRoom: (() => void) | undefined;
  const wake = (): void => {
    onItem?.();
    onItem = undefined;
  };
  return {
    put: async (item) => {
      if (failure !== undefined) return;
      items.push(item);
      wake();
      while (items.length >= capacity && failure === undefined) {
        await new Promise<void>((resolve) => {
          onRoom = resolve;
        });
      }
    },
    take: async () => {
      while (items.length === 0) {
        if (failure !== undefined) throw failure.error;
        await new Promise<void>((resolve) => {
          onItem = resolve;
        });
      }
      const item = items.shift() as T;
      onRoom?.();
      onRoom = undefined;
      return item;
    },
    isEmpty: () => items.length === 0,
    isFull: () => items.length >= capacity,
    fail: (error) => {
      failure ??= { error };
      wake();
      onRoom?.();
    },
  };
}
