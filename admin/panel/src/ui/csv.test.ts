// Tables for spreadsheets, with what they would misread.
import { expect, test } from "vitest";
import { toCsv } from "./csv";

test("quotes, lines, formulas and nothing", () => {
  const rows = [
    { name: 'a "b", c', size: -1 },
    { name: "=1+1", size: 2 },
    { name: "-x\ny", size: null },
  ];
  const csv = toCsv<(typeof rows)[number]>(
    [
      ["name", ({ name }) => name],
      ["size", ({ size }) => size],
    ],
    rows,
  );
  expect(csv).toBe('name,size\r\n"a ""b"", c",-1\r\n\'=1+1,2\r\n"\'-x\ny",\r\n');
});
