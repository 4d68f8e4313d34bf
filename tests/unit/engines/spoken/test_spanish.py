import pytest

from octavia.engines.spoken import speakable


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # Numbers
        ("1.234,56", "mil doscientos treinta y cuatro coma cinco seis"),
        ("1.234.567", "un millón doscientos treinta y cuatro mil quinientos sesenta y siete"),
        ("1,234.56 y 3.5", "mil doscientos treinta y cuatro coma cinco seis y tres coma cinco"),
        ("21 personas, 21 perros y 21.", "veintiuna personas, veintiún perros y veintiuno."),
        ("1 perro, 1 mesa, 200 mesas", "un perro, una mesa, doscientas mesas"),
        ("31 días", "treinta y un días"),
        ("-5 y 0,05", "menos cinco y cero coma cero cinco"),
        ("5-10 o 5–10", "cinco a diez o cinco a diez"),
        ("versión 1.2.3", "versión uno punto dos punto tres"),
        ("1½ y 3/4", "uno y medio y tres cuartos"),
        ("1/2 taza y 1/2 litro", "media taza y medio litro"),
        ("+34 912 345 678", "más tres cuatro, nueve uno dos, tres cuatro cinco, seis siete ocho"),
        # Ordinals
        ("el 1.º, la 2.ª, el 3.er piso", "el primero, la segunda, el tercer piso"),
        ("el 1º y el 3º piso", "el primero y el tercer piso"),
        ("la 21ª edición", "la vigésima primera edición"),
        # Dates
        ("el 5 de mayo de 2021", "el cinco de mayo de dos mil veintiuno"),
        ("1 de enero", "primero de enero"),
        ("5/12/2021", "cinco de diciembre de dos mil veintiuno"),
        ("2021-05-03", "tres de mayo de dos mil veintiuno"),
        ("en 2021 había", "en dos mil veintiuno había"),
        ("1914-1918", "mil novecientos catorce a mil novecientos dieciocho"),
        # Times
        ("a las 10:30", "a las diez treinta"),
        ("a la 1:00 y a las 21:05", "a la una y a las veintiuna y cinco"),
        ("a las 3 p. m. de hoy", "a las tres de la tarde de hoy"),
        ("a las 10:15 a. m.", "a las diez quince de la mañana."),
        ("a las 9:00 p. m. Hoy", "a las nueve de la noche. Hoy"),
        ("a las 10.30 h y 8:00 h", "a las diez treinta y ocho horas"),
        ("1:02:45", "una hora, dos minutos y cuarenta y cinco segundos"),
        # Money
        ("3,50 €", "tres euros con cincuenta céntimos"),
        ("1 € y 21 €", "un euro y veintiún euros"),
        ("£21", "veintiuna libras"),
        ("1.000.000 €", "un millón de euros"),
        ("1,5 millones €", "uno coma cinco millones de euros"),
        ("1,5 millones de euros", "uno coma cinco millones de euros"),
        ("$0,50", "cincuenta centavos"),
        # Units
        ("10 km/h", "diez kilómetros por hora"),
        ("21 °C, -5 °C", "veintiún grados Celsius, menos cinco grados Celsius"),
        ("2,5 % y 21 %", "dos coma cinco por ciento y veintiuno por ciento"),
        ("100 m², 1 h, 21 t", "cien metros cuadrados, una hora, veintiuna toneladas"),
        ("10 000 personas y 2 000 €", "diez mil personas y dos mil euros"),
        ("1 200 000,5 y en 2020 300 más", "un millón doscientos mil coma cinco y en dos mil veinte trescientos más"),
        # Abbreviations
        ("El Sr. Pérez y la Dra. Gómez", "El señor Pérez y la doctora Gómez"),
        ("EE. UU. en el siglo XXI", "Estados Unidos en el siglo veintiuno"),
        ("Felipe VI, Isabel II y Alfonso XII", "Felipe sexto, Isabel segunda y Alfonso doce"),
        ("p. ej. esto, etc. Y más", "por ejemplo esto, etcétera. Y más"),
        ("Avda. América n.º 21, pág. 3", "avenida América número veintiuno, página tres"),
        ("en 44 a.C. no 5 personas", "en cuarenta y cuatro antes de Cristo no cinco personas"),
        # Addresses
        ("https://www.ejemplo.es/docs", "ejemplo punto es barra docs"),
        ("info@ejemplo.org", "info arroba ejemplo punto org"),
    ],
)
def test_it_is_said_in_words(text: str, said: str) -> None:
    assert speakable(text, "es") == said
