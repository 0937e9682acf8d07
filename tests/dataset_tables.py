"""Small made-up data sets in the layouts of the published ones, with their traps; no row is a real one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

CASME2 = ("Subject", "Filename", "", "OnsetFrame", "ApexFrame", "OffsetFrame", "", "Action Units", "Estimated Emotion")
SAMM = (
    "Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame", "Duration", "Micro",
    "Action Units", "Estimated Emotion", "Objective Classes", "Notes",
)  # fmt: skip
LONG = (
    "Subject",
    "Filename",
    "Inducement Code",
    "Onset",
    "Apex",
    "Offset",
    "Duration",
    "Type",
    "Action Units",
    "Notes",
)


def workbook(path: Path, **sheets: Sequence[Sequence[Any]]) -> Path:
    """An Excel file; sheet names as keywords, with ``__`` for a blank and ``PLUS`` for a plus sign."""
    import openpyxl

    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name.replace("__", " ").replace("PLUS", "+"))
        for row in rows:
            sheet.append([cell if cell != "" else None for cell in row])
    path.parent.mkdir(parents=True, exist_ok=True)
    book.save(path)
    return path


def images(folder: Path, numbers: Sequence[int], name: str = "img{}.jpg", *, size: tuple[int, int] = (24, 20)) -> Path:
    """Grey pictures, each of its own brightness."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        picture = np.full(size, 40 + number % 200, np.uint8)
        cv2.imwrite(str(folder / name.format(number)), picture)
    return folder


def casme2(root: Path, *, older: bool = False) -> Path:
    rows: list[list[Any]] = [
        ["01", "EP02_01f", "", 46, 59, 86, "", 12, "happiness", 1],
        [1, "EP03_02", "", 131, 161, 181, "", "4+L10", "others", 5],
        ["02", "EP01_11f", "", 46, 91, 96, "", "R4+7", "disgust", 4],
        ["26", "EP18_46", "", 10, "/", 40, "", "1+2", "surprise", 2],
    ]
    if older:
        plain = [c for c in CASME2 if c]
        keep = [0, 1, 3, 4, 5, 7, 8]
        table: list[list[Any]] = [plain, *[[row[i] for i in keep] for row in rows]]
    else:
        table = [[*CASME2, "Objective Classes"], *rows]
    workbook(root / "CASME2-coding-20140508.xlsx", Sheet1=table)
    images(root / "CASME2-RAW" / "sub01" / "EP02_01f", range(40, 90))
    images(root / "Cropped" / "sub01" / "EP02_01f", range(46, 87), "reg_img{}.jpg")
    images(root / "CASME2-RAW" / "sub01" / "EP03_02", range(1, 182))
    return root


def samm(root: Path, *, header_row: int = 14) -> Path:
    def row(subject: Any, clip: str, onset: int, apex: int, offset: int, units: Any, emotion: str) -> list[Any]:
        return [subject, clip, 1, onset, apex, offset, offset - onset + 1, "Micro - 1/2", units, emotion, "II", ""]

    rows = [
        row("006", "006_1_2", 5562, 5588, 5632, "15A+17", "Anger"),
        row(7, "007_3_1", 5, 16, 30, "ref(7B)+43", "Other"),
        row("028", "028_4_1", 1100, 1143, 1134, "A1B+A2C", "Surprise"),
        row("032", "032_3_1", 4896, 1930, 4960, "L12 or L14", "Happiness"),
        row("033", "033_1_1", 100, 120, 150, "R14+17+soft focus", "Contempt"),
        row("034", "034_1_1", 100, 120, 150, "T18+39", "Contempt"),
    ]
    rows[4][6] = 99
    notes = [["Some notes on the table"]] + [[f"line {i}"] for i in range(2, header_row)]
    workbook(root / "SAMM_Micro_FACS_Codes_v2.xlsx", MICRO_ONLY=[*notes[: header_row - 1], list(SAMM), *rows])
    images(root / "SAMM" / "006" / "006_1_2", range(5562, 5633), "006_{:05d}.jpg")
    return root


def samm_long(root: Path) -> Path:
    rows = [
        ["006", "006_1_2", 1, 100.5, 120, 150, 50, "Macro", "4+7", ""],
        ["006", "006_1_3", 1, 300, -1, 340, 41, "Micro - 1/2", "R12", ""],
        ["006", "006_1_3", 1, 500, 510, 520, 21, "Micro - 1/2", "R12", ""],
        ["007", "007_2_1", 1, 10, 20, 30, 21, "Micro - 1/2", 14, ""],
    ]
    workbook(root / "SAMM_LongVideos.xlsx", FACS_Movement_Only=[[f"note {i}"] for i in range(9)] + [list(LONG), *rows])
    images(root / "SAMM_longvideos" / "006_1", range(1, 521), "006_1_{:04d}.jpg", size=(4, 4))
    return root


def smic_table(root: Path) -> Path:
    rows: list[list[Any]] = [
        ["Subject", "Filename", "FirstF", "OnsetF", "OffsetF", "TotalMF1", "Onset2F", "Offset2F", "Emotion"],
        ["s01", "s1_ne_01", 28400, 28420, 28450, 31, "", "", "negative"],
        [1, "s1_po_01", 30000, 30001, 30020, 20, 30060, 30080, "positive"],
        ["s3", "s3_sur_02", 100, 110, 130, 21, "", "", ""],
        ["Frame numbers are those of the camera."],
    ]
    workbook(root / "SMIC-HS-E_annotation.xlsx", Sheet1=rows)
    images(root / "SMIC-HS-E" / "s01" / "s1_ne_01", range(28400, 28460), "image{:06d}.jpg")
    return root


def smic_folders(root: Path) -> Path:
    for camera, numbers in (("HS", range(101, 131)), ("VIS", range(1, 9)), ("NIR", range(1, 9))):
        for subject, emotion, clip in (("s1", "negative", "s1_ne_01"), ("s11", "surprise", "s11_su_02")):
            images(root / camera / subject / "micro" / emotion / clip, numbers, "image{:06d}.bmp")
    images(root / "HS" / "s1" / "non_micro" / "s1_non_01", range(1, 5), "image{:06d}.bmp")
    return root


def casme_sq(root: Path) -> Path:
    rows = [
        [1, "anger1_1", 557, 572, 608, "4+7", "negative", "macro-expression", "anger"],
        [1, "anger1_2", 700, 708, 0, 4, "negative", "micro-expression", "anger"],
        [22, "disgust1_1", 20, 0, 44, "R10", "others", "micro-expression", "disgust"],
        [22, "disgust1_1", 120, 130, 144, "10", "others", "micro-expression", "disgust"],
        [22, "happy1_1", 0, 0, 0, "12", "positive", "macro-expression", "happy"],
    ]
    rule1 = [["s15", "s15", 1], ["s40", 40, 22]]
    rule2 = [["0101", "disgust1"], [401, "anger1"]]
    workbook(root / "code_final.xlsx", CASFEcode_final=rows, naming__rule1=rule1, naming__rule2=rule2)
    images(root / "rawpic" / "s15" / "15_0401girlcrashing", range(1, 710), "img{}.jpg", size=(4, 4))
    images(root / "rawpic" / "s40" / "40_0101disgustingteeth", range(1, 150), "img{}.jpg", size=(4, 4))
    return root


def casme3(root: Path) -> Path:
    head = ["Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Objective class", "emotion"]
    rows = [
        ["spNO.1", "a", 355, 361, 366, "4", "VII", "others"],
        ["spNO.1", "a", 700, 701, 702, "L12+T24", "I", "happy"],
        ["spNO.2", "b", 10, 12, 20, "B17", "VII", "Others"],
        ["spNO.2", "c", 10, 12, 20, "1+2", "II", "others"],
    ]
    workbook(root / "cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx", label=[head, *rows])
    images(root / "part_A" / "spNo.1" / "a" / "color", range(340, 370), "{}.jpg")
    return root


def mmew(root: Path) -> Path:
    head = [
        "Subject",
        "Filename",
        "OnsetFrame",
        "ApexFrame",
        "OffsetFrame",
        "Action Units",
        "Estimated Emotion",
        "remarks",
    ]
    rows = [[3, "S03-01-002", 1, 20, 35, "12", "happiness", ""], ["S04", "S04-07-001", 1, 9, 30, "4", "others", ""]]
    workbook(root / "MMEW_Micro_Exp.xlsx", Sheet1=[head, *rows])
    images(root / "Micro_Expression" / "happiness" / "S03-01-002", range(1, 36), "{}.jpg")
    return root


def fourdme(root: Path) -> Path:
    head = ["sub_ID", "fold_name", "Onset", "Apex", "Offset", "AUs", "Emotion", "Negative", "Positive", "AU4"]
    rows = [
        ["001", "micro_1_20_a", 20, 26, 40, "4(k)+7", "Negative", 1, 0, 1],
        ["001", "micro_1_90_a", 90, 96, 110, "6+12", "Positive+Repression", 0, 1, 0],
        ["002", "micro_2_10_b", 10, 16, 30, "4", "", 1, 0, 1],
        ["002", "micro_2_50_b", 50, 56, 70, "4(B/C)+7", "Negative", 1, 0, 0],
    ]
    workbook(root / "4DME_release.xlsx", Sheet1=[head, *rows])
    return root


def dfme(root: Path) -> Path:
    head = ["Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Emotion", "EmotionId", "Fps", "AU"]
    rows = [
        [1, "00001", 4, 30, 70, "happiness", 4, 500, "6+12"],
        [2, "00002", 4, 20, 40, "fear", 2, 300, "1"],
        [2, "00003", 4, 20, 40, "", 6, 200, "1+2"],
    ]
    workbook(root / "DFME_annotations.xlsx", Sheet1=[head, *rows])
    return root


def ckplus(root: Path) -> Path:
    for clip, code in (("001", "   3.0000000e+00\n"), ("002", ""), ("003", None)):
        images(root / "cohn-kanade-images" / "S005" / clip, range(1, 12), f"S005_{clip}_{{:08d}}.png")
        if code is not None:
            folder = root / "Emotion" / "S005" / clip
            folder.mkdir(parents=True)
            (folder / f"S005_{clip}_00000011_emotion.txt").write_text(code, encoding="ascii")
    facs = root / "FACS" / "S005" / "001"
    facs.mkdir(parents=True)
    (facs / "S005_001_00000011_facs.txt").write_text("   9.0 5.0\n   17.0 0.0\n", encoding="ascii")
    return root


def megc2020(root: Path) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "CASME_sq_all_Info.txt").write_text(
        "s15 0401 macro-expression 50.0 62.0 98.0\ns15 0401 micro-expression 100.0 108.0 0\n", encoding="ascii"
    )
    samm = "006 1 macro-expression 100 120 150\n006 1 micro-expression 300 -90 340\n006 2 macro-expression 0 9 30\n"
    (root / "SAMMLV_all_Info.txt").write_text(samm, encoding="ascii")
    images(root / "rawpic" / "s15" / "15_0401girlcrashing", [1, 2], "img{}.jpg")
    images(root / "SAMM_longvideos" / "006_1", [1, 2], "006_1_{:04d}.jpg")
    return root


COMPOSITE = (
    ("casme2", "sub01", "EP02_01f", 1),
    ("casme2", "sub02", "EP01_11f", 0),
    ("smic", "s01", "s01_ne_01", 0),
    ("samm", "006", "006_1_2", 2),
)


def composite(root: Path, *, table: bool = True, whole: bool = False) -> Path:
    rng = np.random.default_rng(0)
    root.mkdir(parents=True, exist_ok=True)
    pictures = {row: rng.integers(0, 256, (28, 28, 3)).astype(np.uint8) for row in COMPOSITE}
    for row, picture in pictures.items():
        _, subject, clip, label = row
        places = [root / "STSNet_whole_norm_u_v_os"] if whole else [
            root / "three_norm_u_v_os" / other / ("u_test" if other == subject else "u_train") / str(label)
            for other in {r[1] for r in COMPOSITE}
        ]  # fmt: skip
        for place in places:
            place.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(place / f"{subject}_{clip} .png"), picture)
    if table:
        lines = "".join(f"{d},{s},{c},{label}\n" for d, s, c, label in COMPOSITE)
        (root / "combined_3class_gt.csv").write_text(lines, encoding="ascii")
    return root


def fer_csv(path: Path) -> Path:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (7, 48 * 48))
    pixels[5] = pixels[0]
    usage = ["Training"] * 5 + ["PublicTest", "PrivateTest"]
    lines = ["emotion,pixels,Usage"] + [
        f"{i},{' '.join(map(str, row))},{part}" for i, (row, part) in enumerate(zip(pixels, usage, strict=True))
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    return path


def own(root: Path, rows: Sequence[str] = (), head: str = "file,subject,onset,apex,offset,emotion,fps") -> Path:
    images(root / "clip_a", range(1, 41), "frame_{:04d}.png")
    given = rows or ("clip_a,ann,4,10,20,happiness,200", "clip_a,ann,22,,30,surprise,200", "gone,bob,0,5,9,fear,100")
    (root / "labels.csv").write_text("\n".join([head, *given]) + "\n", encoding="utf-8")
    return root
