"""Reading ratings files: what is understood, and what each refusal says."""

import csv
import gzip
import io
import re
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matfact.exceptions import RatingsFileError
from matfact.ratings.files import LONGEST_ID, read_ratings_file
from matfact.ratings.synthetic import make_ratings

TRIPLES = [("10", "7", 4.0), ("9", "7", 2.5), ("10", "8", 1.0)]


@pytest.fixture
def write(tmp_path):
    """Write text or bytes to a file and return its path."""

    def write_file(content, name="ratings.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


def triples_of(table):
    """(user id, item id, value) of every rating, in order."""
    users, items = table.user_ids[table.users], table.item_ids[table.items]
    return list(zip(users.tolist(), items.tolist(), table.values.tolist(), strict=True))


def lines_of(separator, end="\n", further=""):
    return "".join(f"{u}{separator}{i}{separator}{r}{further}{end}" for u, i, r in TRIPLES)


NUMBERED = [(10, 7, 4.0), (9, 7, 2.5), (10, 8, 1.0)]


class TestUnderstood:
    @pytest.mark.parametrize("separator", ["\t", ",", ";", "::"])
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_separators_and_line_ends(self, write, separator, end):
        assert triples_of(read_ratings_file(write(lines_of(separator, end)))) == NUMBERED

    @pytest.mark.parametrize("separator", ["\t", ",", ";", "::"])
    @pytest.mark.parametrize("header", [["user", "item", "rating"], ["u", "i", "r", "time"]])
    def test_a_header(self, write, separator, header):
        content = separator.join(header) + "\n" + lines_of(separator)
        assert triples_of(read_ratings_file(write(content))) == NUMBERED

    def test_a_recbole_file(self, write):
        head = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
        content = head + lines_of("\t", further="\t881250949")
        assert triples_of(read_ratings_file(write(content))) == NUMBERED

    def test_further_columns_are_ignored_even_if_some_lines_lack_them(self, write):
        content = 'u,i,r,title\na,x,1,"one, two"\nb,y,2\nc,z,3,"a ""quoted"" title",more\n'
        assert triples_of(read_ratings_file(write(content))) == [
            ("a", "x", 1.0),
            ("b", "y", 2.0),
            ("c", "z", 3.0),
        ]

    def test_a_byte_order_mark_without_a_header(self, write):
        content = b"\xef\xbb\xbf" + lines_of(",").encode()
        assert triples_of(read_ratings_file(write(content))) == NUMBERED

    @pytest.mark.parametrize("name", ["ratings.csv.gz", "ratings"])
    def test_gzip_is_recognised_by_content(self, write, name):
        content = gzip.compress(lines_of("\t").encode())
        assert triples_of(read_ratings_file(write(content, name))) == NUMBERED

    def test_blank_lines(self, write):
        content = "\n  \n" + lines_of(",").replace("\n", "\n\n", 1) + "\n \t \n\n"
        assert triples_of(read_ratings_file(write(content))) == NUMBERED

    def test_no_newline_at_the_end(self, write):
        assert triples_of(read_ratings_file(write(lines_of(",").rstrip()))) == NUMBERED

    def test_one_line(self, write):
        assert triples_of(read_ratings_file(write("a,b,3"))) == [("a", "b", 3.0)]

    def test_quoted_csv_fields(self, write):
        content = 'user,item,rating\n"a, b","x ""y""",3\n"two\nlines",z,"4.5"\n'
        assert triples_of(read_ratings_file(write(content))) == [
            ("a, b", 'x "y"', 3.0),
            ("two\nlines", "z", 4.5),
        ]

    def test_a_quoted_field_that_goes_on_beyond_the_sniffed_lines(self, write):
        content = "u,i,r,review\na,x,1," + '"' + "line\n" * 50 + '"\nb,x,2,\n'
        assert triples_of(read_ratings_file(write(content))) == [("a", "x", 1.0), ("b", "x", 2.0)]

    def test_quotes_in_tab_files_count_if_the_first_line_has_them(self, write):
        content = '"user"\t"item"\t"rating"\n"a"\t"x\ty"\t3\n'
        assert triples_of(read_ratings_file(write(content))) == [("a", "x\ty", 3.0)]

    def test_quotes_in_other_tab_files_are_ordinary_characters(self, write):
        content = 'a\tx\t3\t"Stray" quotes\nb\t"x\t4\t"open\n'
        assert triples_of(read_ratings_file(write(content))) == [("a", "x", 3.0), ("b", '"x', 4.0)]

    def test_commas_and_semicolons_inside_tab_separated_ids(self, write):
        content = "a,b,1\tx;y;2\t3\nc\td\t4\n"
        assert triples_of(read_ratings_file(write(content)))[0] == ("a,b,1", "x;y;2", 3.0)

    def test_blanks_around_ids_and_ratings_do_not_count(self, write):
        table = read_ratings_file(write("a, x, 1\n a ,y,2\n"))
        assert triples_of(table) == [("a", "x", 1.0), ("a", "y", 2.0)]

    @pytest.mark.parametrize("rating", ["4", "4.0", "-1.5", "+2", "1e3", ".5", " 3 ", "0"])
    def test_ways_to_write_a_number(self, write, rating):
        assert read_ratings_file(write(f"a,b,{rating}\n")).values.tolist() == [float(rating)]

    def test_naming_the_delimiter_settles_an_ambiguity(self, write):
        path = write("a;b;3;c,d,4\n")
        assert triples_of(read_ratings_file(path, delimiter=";")) == [("a", "b", 3.0)]
        assert triples_of(read_ratings_file(path, delimiter=",")) == [("a;b;3;c", "d", 4.0)]

    def test_a_path_may_be_a_string(self, write):
        assert triples_of(read_ratings_file(str(write(lines_of(","))))) == NUMBERED


class TestIds:
    def test_integers_become_int64_and_sort_as_numbers(self, write):
        table = read_ratings_file(write("10,x,1\n9,y,2\n-3,x,3\n"))
        assert table.user_ids.dtype == np.int64
        assert table.user_ids.tolist() == [-3, 9, 10]
        assert table.users.tolist() == [2, 1, 0]

    @pytest.mark.parametrize("other", ["07", "a", "1.0", "+7", "-0", "1_0", "٣", str(2**63)])
    def test_one_id_that_is_no_plain_integer_makes_all_text(self, write, other):
        table = read_ratings_file(write(f"7,x,1\n{other},y,2\n"))
        assert table.user_ids.dtype.kind == "U"
        assert set(table.user_ids.tolist()) == {"7", other}

    def test_the_smallest_and_largest_int64(self, write):
        table = read_ratings_file(write(f"{-(2**63)},x,1\n{2**63 - 1},y,2\n"))
        assert table.user_ids.tolist() == [-(2**63), 2**63 - 1]

    def test_users_and_items_are_judged_apart(self, write):
        table = read_ratings_file(write("7,x,1\n8,y,2\n"))
        assert (table.user_ids.dtype.kind, table.item_ids.dtype.kind) == ("i", "U")

    def test_other_scripts(self, write):
        table = read_ratings_file(write("Zoë,映画,1\nÅsa,🎬,2\n"))
        assert table.user_ids.tolist() == ["Zoë", "Åsa"]
        assert table.item_ids.tolist() == ["映画", "🎬"]

    def test_the_longest_id(self, write):
        table = read_ratings_file(write(f"{'a' * LONGEST_ID},x,1\n"))
        assert table.user_ids.tolist() == ["a" * LONGEST_ID]


def refusal(path, **options):
    """The message with which a file is refused; it always names the path."""
    with pytest.raises(RatingsFileError) as caught:
        read_ratings_file(path, **options)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message[len(str(path)) :]


class TestRefusals:
    def test_a_missing_file(self, tmp_path):
        assert refusal(tmp_path / "no.csv") == ": there is no such file; check the path"

    def test_a_directory(self, tmp_path):
        message = refusal(tmp_path)
        assert "directory" in message or "cannot be read" in message  # the latter on Windows

    @pytest.mark.parametrize("content", [b"", b"\n\n  \n", b"\xef\xbb\xbf"])
    def test_an_empty_file(self, write, content):
        assert re.match(
            ": the file is empty; each line needs a user, an item", refusal(write(content))
        )

    def test_a_header_alone(self, write):
        message = refusal(write("user,item,rating\n"))
        assert message.startswith(": the file has a header but no ratings; each line needs")

    @pytest.mark.parametrize("content", ["a b 3\n", "justone\n", "a,3\nb,4\n"])
    def test_too_few_columns_from_the_start(self, write, content):
        message = refusal(write(content))
        assert message.startswith(
            f": line 1 has too few columns: {content.split(chr(10))[0]!r}; each"
        )
        assert "separated by a tab, comma, semicolon or '::'" in message

    def test_too_few_columns_later(self, write):
        message = refusal(write("user,item,rating\na,x,1\n\nb,y\nc,z,3\n"))
        assert message.startswith(", line 4: too few columns, ['b', 'y'] when split by comma; each")

    def test_too_few_columns_beyond_the_sniffed_lines(self, write):
        content = "".join(f"{n}\t1\t3\n" for n in range(50)) + "50\n"
        assert refusal(write(content)).startswith(
            ", line 51: too few columns, ['50'] when split by"
        )

    @pytest.mark.parametrize(
        "rating", ["good", "", "nan", "inf", "-inf", "3,5", "1_0", "1e999", "3 4"]
    )
    @pytest.mark.parametrize("n_before", [0, 1, 30])
    def test_a_rating_that_is_not_a_finite_number(self, write, rating, n_before):
        # Tab, so that the comma in 3,5 belongs to the rating.
        content = "".join(f"{n}\t1\t3\n" for n in range(n_before)) + f"99\t1\t{rating}\n"
        assert refusal(write(content)) == (
            f", line {n_before + 1}: the rating is {rating!r}; "
            "a rating must be a finite number such as 4 or 3.5"
        )

    def test_the_line_number_counts_header_and_blank_lines(self, write):
        message = refusal(write("u,i,r\r\n\r\na,x,1\r\nb,x,two\r\n"))
        assert message.startswith(", line 4: the rating is 'two'")

    def test_a_damaged_first_rating_is_not_taken_for_a_header(self, write):
        assert refusal(write("1,2,x\n3,4,5\n")).startswith(", line 1: the rating is 'x'")

    @pytest.mark.parametrize(("line", "side"), [(",x,1", "user"), ("a, ,1", "item")])
    def test_an_empty_id(self, write, line, side):
        message = refusal(write(f"u,i,r\nb,y,2\n{line}\n"))
        assert message == f", line 3: the {side} id is empty; give every rating a user and an item"

    def test_an_overlong_id(self, write):
        message = refusal(write(f"a,x,1\n{'b' * (LONGEST_ID + 1)},x,1\n"))
        assert message == (
            f", line 2: the user id '{'b' * 40}'... has 257 characters; "
            "ids may have up to 256; check the separator and the quotes"
        )

    def test_a_nul_character_in_an_id(self, write):
        message = refusal(write("a,x,1\nb,x\0,1\n"))
        assert message.startswith(", line 2: the item id 'x\\x00' has a NUL character")

    def test_a_duplicated_pair_names_both_lines(self, write):
        message = refusal(write("u,i,r\na,x,1\nb,x,2\nb,y,3\n\nb,x,4\na,x,5\n"))
        assert message == (
            ", line 6: user 'b' has rated item 'x' already, in line 3; keep one rating of each pair"
        )

    @pytest.mark.parametrize("n_before", [0, 3, 40_000])
    def test_undecodable_bytes(self, write, n_before):
        content = b"".join(b"%d,x,1\n" % n for n in range(n_before)) + b"caf\xe9,y,2\n"
        assert refusal(write(content)) == (
            f", line {n_before + 1}: byte 0xe9 is not UTF-8 text; convert the file to UTF-8"
        )

    def test_a_utf_16_file(self, write):
        assert "line 1: byte 0xff is not UTF-8" in refusal(write("a,x,1\n".encode("utf-16")))

    def test_a_broken_gzip_file(self, write):
        rng = np.random.default_rng(0)
        lines = "".join(f"{n},{rng.integers(10**9)},3\n" for n in range(1000))
        whole = gzip.compress(lines.encode())
        for content in (whole[:3000], whole[:200] + bytes(20) + whole[220:], b"\x1f\x8bjunk"):
            message = refusal(write(content))
            assert message.startswith(": the gzip data is damaged (")
            assert message.endswith("); fetch or compress the file again")

    def test_an_open_quote_is_reported_where_it_opens(self, write):
        message = refusal(write('a,x,1\nb,"y,2\nc,z,3\n'))
        assert message.startswith(", line 2: ")
        assert message.endswith("close every quote, and double the quotes inside a field")

    def test_a_field_beyond_the_limit_of_csv(self, write):
        message = refusal(write(f"a\tx\t1\nb\tx\t1\t{'t' * 200_000}\n"))
        assert message.startswith(", line 2: field larger than field limit")

    @pytest.mark.parametrize("content", ["a;b;3;c,d,4\n", "u;i;r;u,i,r\n"])
    def test_two_separators_that_fit(self, write, content):
        assert refusal(write(content)) == (
            ": line 1 can be split by comma and by semicolon, so the columns are ambiguous; "
            "name the separator (delimiter=, or --delimiter on the command line)"
        )

    def test_a_delimiter_that_does_not_fit(self, write):
        assert "line 1: too few columns" in refusal(write(lines_of(",")), delimiter="\t")

    def test_an_unknown_delimiter(self, write):
        with pytest.raises(
            ValueError, match=r"delimiter is '\|'; give one of '\\t', ',', ';', '::'"
        ):
            read_ratings_file(write("a|b|3"), delimiter="|")


IDS = st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20
).filter(lambda text: text == text.strip() and text)
IDS_OF_ONE_LINE = IDS.filter(lambda text: len(text.splitlines()) == 1)


def ratings_of(ids):
    values = st.floats(allow_nan=False, allow_infinity=False)
    return st.dictionaries(st.tuples(ids, ids), values, min_size=1, max_size=30)


@settings(deadline=None)
@given(
    ratings_and_quoting=st.one_of(
        st.tuples(ratings_of(IDS), st.just(csv.QUOTE_ALL)),
        st.tuples(ratings_of(IDS_OF_ONE_LINE), st.just(csv.QUOTE_MINIMAL)),
    ),
    separator=st.sampled_from([",", ";"]),
    header=st.booleans(),
    end=st.sampled_from(["\n", "\r\n"]),
    compress=st.booleans(),
)
def test_what_csv_writes_is_read_back(
    tmp_path_factory, ratings_and_quoting, separator, header, end, compress
):
    ratings, quoting = ratings_and_quoting
    text = io.StringIO()
    # Without QUOTE_ALL csv does not quote every line end that can be inside an id.
    writer = csv.writer(text, delimiter=separator, lineterminator=end, quoting=quoting)
    if header:
        writer.writerow(["user", "item", "rating", "further"])
    else:  # so that no id of the first line can be taken for a column name
        ratings = {("0", "0"): 0.5, **ratings}
    for (user, item), value in ratings.items():
        writer.writerow([user, item, repr(value), "x"])
    content = text.getvalue().encode()
    path = tmp_path_factory.mktemp("files") / "ratings"
    path.write_bytes(gzip.compress(content) if compress else content)

    table = read_ratings_file(path, delimiter=separator)

    read = [(str(user), str(item), value) for user, item, value in triples_of(table)]
    assert read == [(user, item, value) for (user, item), value in ratings.items()]
    assert (np.diff(np.unique(table.user_ids).searchsorted(table.user_ids)) > 0).all()


def is_read_or_refused(tmp_path_factory, content):
    """Whether a file of this content gives ratings, or a RatingsFileError that names it."""
    path = tmp_path_factory.mktemp("files") / "ratings"
    path.write_bytes(content)
    try:
        return read_ratings_file(path).n_ratings > 0
    except RatingsFileError as error:
        return str(error).startswith(str(path))


@settings(deadline=None)
@given(content=st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    assert is_read_or_refused(tmp_path_factory, content)


@settings(deadline=None)
@given(content=st.text(st.sampled_from('a1,;\t:"\n\r .-'), max_size=60))
def test_any_text_of_separators_and_quotes_is_read_or_refused(tmp_path_factory, content):
    assert is_read_or_refused(tmp_path_factory, content.encode())


def test_a_hundred_thousand_lines_take_little_time(write):
    # Measured 0.13 s; the bound leaves room for a loaded machine.
    triples = make_ratings(1000, 1500, 100_000).to_triples()
    lines = (
        f"{user}\t{item}\t{value}\t881250949\n" for user, item, value in zip(*triples, strict=True)
    )
    path = write("".join(lines))
    started = time.perf_counter()
    assert read_ratings_file(path).n_ratings == 100_000
    assert time.perf_counter() - started < 2.0
