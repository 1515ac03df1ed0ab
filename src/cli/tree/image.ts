import { type CommandLeaf, type CommandNoun, leaf } from './leaf.ts';

const transfers: readonly CommandLeaf[] = [
  leaf('history', 'Show how an image was made', () => import('../commands/history.ts')),
  leaf('import', 'Make an image from a root file system', () => import('../commands/import.ts')),
  leaf('load', 'Load images from an archive', () => import('../commands/load.ts')),
  leaf('pull', 'Bring images from a registry', () => import('../commands/pull.ts')),
  leaf('push', 'Copy an image to a registry', () => import('../commands/push.ts')),
  leaf('save', 'Write images as an archive', () => import('../commands/save.ts')),
  leaf('tag', 'Give an image more names', () => import('../commands/tag.ts')),
  leaf('untag', 'Take names away from an image', () => import('../commands/untag.ts')),
];

/** Commands on images in short form. */
export const IMAGE_COMMANDS: readonly CommandLeaf[] = [
  ...transfers,
  leaf('images', 'List images', () => import('../commands/images.ts')),
  leaf('rmi', 'Remove images', () => import('../commands/rmi.ts')),
];

export const IMAGE: CommandNoun = {
  name: 'image',
  short: 'Manage images',
  commands: [
    ...transfers,
    leaf('diff', "Show what an image's last layer changed", () => import('../commands/image-diff.ts')),
    leaf('exists', 'Tell whether an image is here', () => import('../commands/image-exists.ts')),
    leaf('inspect', 'Show all about images', () => import('../commands/image-inspect.ts')),
    leaf('ls', 'List images', () => import('../commands/images.ts'), { aliases: ['list'] }),
    leaf('prune', 'Remove images that are not used', () => import('../commands/image-prune.ts')),
    leaf('rm', 'Remove images', () => import('../commands/rmi.ts'), { aliases: ['remove'] }),
  ],
};
