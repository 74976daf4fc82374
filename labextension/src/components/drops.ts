import { showErrorMessage } from '@jupyterlab/apputils';
import type { Drag } from '@lumino/dragdrop';
import * as React from 'react';

import { hasFiles, readDrop } from '../dnd';
import { draggedPaths, dropAction, hasPaths } from '../dragging';
import { explain } from '../errors';
import { paste } from '../pasting';
import { fromContents } from '../paths';
import type { IPanelContext } from './context';

/** What JupyterLab's own file browser drags: paths of its contents. */
const CONTENTS_MIME = 'application/x-jupyter-icontents';

/**
 * Let an element take what is dropped: files of the desktop, rows of the panel, and files of
 * JupyterLab's own browser.
 *
 * `directoryAt` says which directory a drop onto an element means, or null for none.
 */
export function useDrops<T extends HTMLElement>(
  { model, trans }: IPanelContext,
  directoryAt: (target: Element) => string | null
): {
  /** The directory that a drop would mean now. */
  over: string | null;
  ref: React.RefCallback<T>;
  handlers: Pick<React.DOMAttributes<T>, 'onDragOver' | 'onDragLeave' | 'onDrop'>;
} {
  const [over, setOver] = React.useState<string | null>(null);
  const [element, ref] = React.useState<T | null>(null);
  const put = (operation: 'copy' | 'move', sources: string[], directory: string) => {
    if (sources.length > 0) {
      paste(model, operation, sources, directory, trans).catch(error =>
        showErrorMessage(operation === 'copy' ? trans.__('Copy') : trans.__('Move'), explain(error))
      );
    }
  };
  // The listeners of JupyterLab's drags stay; what they ask is always the newest.
  const newest = React.useRef({ directoryAt, put });
  newest.current = { directoryAt, put };

  React.useEffect(() => {
    const listen = (type: string, handle: (event: Drag.Event) => void) => {
      const listener = (event: Event) => handle(event as Drag.Event);
      element?.addEventListener(type, listener);
      return () => element?.removeEventListener(type, listener);
    };
    const directoryOf = (event: Drag.Event) =>
      event.mimeData.hasData(CONTENTS_MIME) && event.target instanceof Element
        ? newest.current.directoryAt(event.target)
        : null;
    const take = (event: Drag.Event) => {
      const directory = directoryOf(event);
      setOver(directory);
      if (directory !== null) {
        event.preventDefault();
        event.stopPropagation();
        // The one action that the file browser allows; what it drags stays where it is.
        event.dropAction = event.proposedAction;
      }
      return directory;
    };
    const ends = [
      listen('lm-dragenter', take),
      listen('lm-dragover', take),
      listen('lm-dragleave', () => setOver(null)),
      listen('lm-drop', event => {
        const directory = take(event);
        setOver(null);
        if (directory !== null) {
          const paths = event.mimeData.getData(CONTENTS_MIME) as string[];
          newest.current.put('copy', paths.map(fromContents), directory);
        }
      })
    ];
    return () => ends.forEach(end => end());
  }, [element]);

  const target = (event: React.DragEvent) =>
    hasFiles(event.dataTransfer) || hasPaths(event.dataTransfer)
      ? directoryAt(event.target as Element)
      : null;
  return {
    over,
    ref,
    handlers: {
      onDragOver: event => {
        const directory = target(event);
        setOver(directory);
        if (directory !== null) {
          event.preventDefault();
          event.dataTransfer.dropEffect = hasPaths(event.dataTransfer)
            ? dropAction(event.nativeEvent, directory)
            : 'copy';
        }
      },
      onDragLeave: event => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) {
          setOver(null);
        }
      },
      onDrop: event => {
        const directory = target(event);
        setOver(null);
        if (directory === null) {
          return;
        }
        event.preventDefault();
        if (hasPaths(event.dataTransfer)) {
          put(
            dropAction(event.nativeEvent, directory),
            draggedPaths(event.dataTransfer, directory),
            directory
          );
        } else {
          void readDrop(event.dataTransfer).then(dropped =>
            model.uploads.upload(dropped, directory)
          );
        }
      }
    }
  };
}
