// Files as pictures: a grid of tiles that draws only what is in sight. The whole of it takes the focus, as in ui/table.tsx.
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useState } from "react";
import type { Browse } from "../../ui/browse";
import type { Paged } from "../../ui/pages";
import { bytes } from "../../ui/relative";
import { SelectMark } from "../../ui/select-mark";
import { useActiveInSight, useMoreAhead } from "../../ui/table";
import type { FileRow } from "./documents";
import { HeldMark } from "./holds";
import { Picture } from "./picture";
import styles from "./tiles.module.css";

const LEAST_WIDTH = 152;
const GAP = 12;
const CAPTION = 44;

/** How many tiles lie beside each other in a frame, and how wide each is. */
export function useTileSize(frame: HTMLElement | null) {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    if (!frame) return;
    const observer = new ResizeObserver(([entry]) => setWidth(entry?.contentRect.width ?? 0));
    observer.observe(frame);
    return () => observer.disconnect();
  }, [frame]);
  const perLine = Math.max(1, Math.floor((width + GAP) / (LEAST_WIDTH + GAP)));
  return { perLine, tile: (width - GAP * (perLine - 1)) / perLine };
}

interface Props {
  label: string;
  frame: HTMLDivElement | null;
  setFrame: (frame: HTMLDivElement | null) => void;
  size: { perLine: number; tile: number };
  rows: readonly FileRow[];
  paged: Paged<FileRow>;
  browse: Browse;
}

export function Tiles({ label, frame, setFrame, size: { perLine, tile }, rows, paged, browse }: Props) {
  const lines = Math.ceil(rows.length / perLine);
  const height = tile + CAPTION + GAP;
  const virtual = useVirtualizer({
    count: tile > 0 ? lines : 0,
    getScrollElement: () => frame,
    estimateSize: () => height,
    overscan: 3,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: another height, another layout
  useEffect(() => virtual.measure(), [height]);
  const items = virtual.getVirtualItems();
  useMoreAhead(items.at(-1)?.index, lines, paged, Math.ceil(50 / perLine));
  useActiveInSight(rows, browse.activeId, (index) => virtual.scrollToIndex(Math.floor(index / perLine)));
  const drawn = items.flatMap(({ index, start }) => [
    { start, files: rows.slice(index * perLine, (index + 1) * perLine) },
  ]);
  const active = drawn.some(({ files }) => files.some(({ id }) => id === browse.activeId));

  return (
    <div
      ref={setFrame}
      className={styles.frame}
      role="listbox"
      aria-label={label}
      aria-multiselectable
      aria-activedescendant={active ? `row-${browse.activeId}` : undefined}
      aria-busy={paged.loading}
      tabIndex={0}
    >
      <div role="presentation" style={{ height: virtual.getTotalSize(), position: "relative" }}>
        {drawn.map(({ start, files }) => (
          <div
            key={start}
            role="presentation"
            className={styles.line}
            style={{ top: start, gridTemplateColumns: `repeat(${perLine}, ${tile}px)`, gap: GAP }}
          >
            {files.map((file) => (
              <Tile key={file.id} file={file} browse={browse} size={tile} />
            ))}
          </div>
        ))}
      </div>
    </div>
  );
}

function Tile({ file, browse, size }: { file: FileRow; browse: Browse; size: number }) {
  const selected = browse.selection?.ids.has(file.id) ?? false;
  return (
    <div
      id={`row-${file.id}`}
      role="option"
      aria-selected={selected}
      aria-label={`${file.name}, ${bytes(file.size)}, of ${file.owner.username}${file.isHeld ? ", under a legal hold" : ""}`}
      data-active={file.id === browse.activeId || undefined}
      data-opened={file.id === browse.opened || undefined}
      className={styles.tile}
      onClick={(event) => browse.onRowClick(event, file.id)}
    >
      <div className={styles.picture} style={{ height: size }}>
        <Picture url={file.thumbnail?.url} thumbhash={file.thumbhash} alt="" />
        <span data-select className={styles.select}>
          <SelectMark selected={selected} />
        </span>
      </div>
      <p className={styles.name}>{file.name}</p>
      <p className={styles.more}>
        {file.isHeld && <HeldMark />}
        {file.owner.username} · {bytes(file.size)}
      </p>
    </div>
  );
}
