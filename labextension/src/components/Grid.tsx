import { caretDownIcon, caretUpIcon } from '@jupyterlab/ui-components';
import { defaultRangeExtractor, useVirtualizer } from '@tanstack/react-virtual';
import * as React from 'react';

import { setDragged } from '../dragging';
import { folderBelow } from '../paths';
import type { SortKey } from '../records';
import { CommandIDs } from '../tokens';
import type { IPanelContext } from './context';
import { onGridKey } from './keys';
import { type IRowActions, Row } from './Row';
import { Separator } from './Separator';

/** Height of a row in pixels, as in the style sheet. */
const ROW_HEIGHT = 24;

/** The rows of a directory: only those that can be seen are in the document. */
export function Grid(props: {
  context: IPanelContext;
  dropTarget: string | null;
}): React.JSX.Element {
  const { context, dropTarget } = props;
  const { model, commands, trans } = context;
  const { browser } = model;
  const scroller = React.useRef<HTMLDivElement>(null);
  const hadFocus = React.useRef(false);
  const count = browser.entries.length;
  const cut = model.clipboard?.operation === 'move' ? model.clipboard.paths : [];

  const rows = useVirtualizer({
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 8,
    getItemKey: index => browser.entries[index]?.path ?? index,
    // The row with the focus stays, or the keyboard would lose its place when it is scrolled away.
    rangeExtractor: range => {
      const indexes = defaultRangeExtractor(range);
      if (browser.active < count && !indexes.includes(browser.active)) {
        indexes.push(browser.active);
        indexes.sort((a, b) => a - b);
      }
      return indexes;
    }
  });
  const items = rows.getVirtualItems();
  const last = items.at(-1)?.index ?? -1;

  React.useEffect(() => {
    // A page of a filtered directory may bring no row, and more still follow.
    if (last >= count - 1 && browser.more && !browser.loading) {
      void browser.loadMore();
    }
  }, [last, count, browser, browser.more, browser.loading]);

  const focusActive = React.useCallback(() => {
    const row = scroller.current?.querySelector<HTMLElement>(`[data-index="${browser.active}"]`);
    // Without rows the keyboard waits where they would be: to paste, for one.
    (row ?? scroller.current)?.focus({ preventScroll: true });
  }, [browser]);

  const { focusRequests } = browser;
  const seen = React.useRef(focusRequests);
  React.useEffect(() => {
    if (seen.current !== focusRequests && (count > 0 || !browser.loading)) {
      seen.current = focusRequests;
      if (count > 0) {
        rows.scrollToIndex(browser.active, { align: 'auto' });
      }
      if (focusRequests > browser.focusReleased) {
        focusActive();
      }
    }
  }, [focusRequests, count, rows, browser, browser.loading, focusActive]);

  // Columns stay in line where a scroll bar takes room from the rows. Not looked at while they
  // scroll: each look makes the browser lay out the page at once.
  React.useLayoutEffect(() => {
    const element = scroller.current!;
    const measure = () => {
      const gutter = `${element.offsetWidth - element.clientWidth}px`;
      element.parentElement?.style.setProperty('--jp-storage-gutter', gutter);
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [count]);

  // A row that had the focus and is gone (deleted, renamed) gives it to the one in its place.
  React.useEffect(() => {
    const settled = count > 0 || !browser.loading;
    if (hadFocus.current && document.activeElement === document.body && settled) {
      focusActive();
    }
  });

  const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / ROW_HEIGHT) - 1);
  // The same as long as the grid lives, so that rows that scroll by are not rendered again.
  const actions = React.useMemo<IRowActions>(
    () => ({
      click: (event, index) => {
        if (event.shiftKey) {
          browser.focus(index, 'extend');
        } else if (event.ctrlKey || event.metaKey) {
          browser.toggle(index);
        } else {
          browser.focus(index);
        }
      },
      open: () => void commands.execute(CommandIDs.open),
      drag: (event, entry) => {
        const chosen = browser.isSelected(entry) ? browser.selected : [entry];
        const paths = chosen.map(each => each.path);
        setDragged(event.dataTransfer, paths, model.tiers);
      },
      menu: (entry, index) => {
        if (!browser.isSelected(entry)) {
          browser.focus(index);
        }
      }
    }),
    [browser, commands, model]
  );
  return (
    <div
      className="jp-Storage-grid"
      role="grid"
      aria-label={
        browser.isSearch
          ? trans.__('Found in %1 and below', browser.path)
          : trans.__('Files in %1', browser.path)
      }
      aria-multiselectable
      aria-rowcount={browser.more ? -1 : count + 1}
      aria-busy={browser.loading}
      onKeyDown={event => onGridKey(event, browser, context.preview, page)}
      onFocus={() => {
        hadFocus.current = true;
      }}
      onBlur={() => {
        hadFocus.current = false;
      }}
    >
      <Header context={context} />
      <div
        className="jp-Storage-rows"
        role="rowgroup"
        ref={scroller}
        tabIndex={count === 0 ? 0 : -1}
        aria-label={trans.__('Rows')}
        onClick={event => {
          if (
            event.target === event.currentTarget ||
            !(event.target as Element).closest('[role=row]')
          ) {
            browser.clearSelection();
          }
        }}
      >
        {count === 0 && !browser.loading && !browser.more && (
          <div className="jp-Storage-message" role="row">
            <span role="gridcell">
              {browser.isSearch
                ? trans.__('Nothing here or below matches “%1”.', browser.filter)
                : browser.filter
                  ? trans.__('No name here matches “%1”.', browser.filter)
                  : trans.__('This folder is empty. Drop files or folders here to upload them.')}
            </span>
          </div>
        )}
        <div role="presentation" style={{ height: rows.getTotalSize(), position: 'relative' }}>
          {items.map(({ index, key, start }) => {
            const entry = browser.entries[index];
            return (
              entry && (
                <Row
                  key={key}
                  entry={entry}
                  index={index}
                  top={start}
                  active={index === browser.active}
                  selected={browser.isSelected(entry)}
                  cut={cut.includes(entry.path)}
                  dropTarget={dropTarget === entry.path}
                  where={browser.isSearch ? folderBelow(entry.path, browser.path) : ''}
                  context={context}
                  actions={actions}
                />
              )
            );
          })}
        </div>
      </div>
    </div>
  );
}

function Header({ context }: { context: IPanelContext }): React.JSX.Element {
  const { trans, model } = context;
  const { browser } = model;
  const columns: [SortKey, string][] = [
    ['name', trans.__('Name')],
    ['modified', trans.__('Modified')],
    ['size', trans.__('Size')]
  ];
  return (
    <div role="rowgroup">
      <div className="jp-Storage-row jp-Storage-header" role="row" aria-rowindex={1}>
        {columns.map(([key, label]) => {
          const sorted = browser.sort === key;
          const Caret = browser.descending ? caretDownIcon.react : caretUpIcon.react;
          return (
            <div
              key={key}
              className={`jp-Storage-${key}`}
              role="columnheader"
              aria-sort={sorted ? (browser.descending ? 'descending' : 'ascending') : 'none'}
            >
              {key !== 'name' && <Separator context={context} column={key} label={label} />}
              <button
                title={trans.__('Sort by this column')}
                onClick={() => void browser.sortBy(key)}
              >
                {label}
                {sorted && <Caret tag="span" className="jp-Storage-caret" />}
              </button>
            </div>
          );
        })}
      </div>
    </div>
  );
}
