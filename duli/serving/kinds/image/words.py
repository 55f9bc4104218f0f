"""The words for images."""

from ...kind import Words

WORDS = Words(
    "image",
    "images",
    "pictures (PNG, JPEG, WebP, GIF, BMP, TIFF; of any size, turned as their EXIF says and"
    " fitted to the model's), .npy or IDX, each also as .gz; a folder of them; - for standard"
    " input",
    "a folder with a subfolder for each label, IMAGES LABELS (IDX), or an .npz",
    counted="grey levels",
)
