// A range of versions as the schemas write it: none, 3, 3-5 or 3+.

package vectors;

record Versions(int first, int last) {
    static Versions parse(String text) {
        if (text.equals("none")) {
            return new Versions(0, -1);
        }
        if (text.endsWith("+")) {
            return new Versions(Integer.parseInt(text.substring(0, text.length() - 1)), Short.MAX_VALUE);
        }
        String[] ends = text.split("-");
        return new Versions(Integer.parseInt(ends[0]), Integer.parseInt(ends[ends.length - 1]));
    }

    boolean contains(int version) {
        return first <= version && version <= last;
    }
}
